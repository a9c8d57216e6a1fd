-- name: record
-- $1 run, $2 seq, $3 kind, $4 a bounce's class or '', $5 digest of the mail; of a bounce $6 reason, $7 status,
-- $8 masked evidence, $9 whether the member is gone, $10 whether it is a strike.
-- One statement, so one transaction: counted, stopped and remembered, or nothing. A mail that was taken in before finds
-- its row in `arrival` and adds nothing; of two copies at once one waits for the other there, by the unique index.
-- Only a delivery that exists is reported: the LATERAL keeps the look-up on the primary key of one partition.
-- A person counts once for each class, by `bounce`; once for the kind, by `first_event`, as with opens.
-- To a run of a closed month nothing is counted; members are stopped all the same.
-- What is added comes in one order in every mail: no circle of waiting.
WITH delivery AS MATERIALIZED (
         SELECT run.account_id, r.member_id, (SELECT app.now()) AS now
         FROM run CROSS JOIN LATERAL (SELECT member_id FROM recipient WHERE run_id = $1 AND seq = $2 LIMIT 1) AS r
         WHERE run.run_id = $1),
     arrived AS (
         INSERT INTO arrival (run_id, seq, digest, at) SELECT $1, $2, $5, now FROM delivery
         ON CONFLICT DO NOTHING RETURNING 1),
     fresh AS MATERIALIZED (
         SELECT * FROM delivery WHERE EXISTS (SELECT FROM arrived)),
     counted AS MATERIALIZED (
         SELECT * FROM fresh WHERE $1 >= (SELECT closed_before FROM retention)),
     stored AS (
         INSERT INTO event (run_id, seq, kind, detail, occurred_at) SELECT $1, $2, $3, $4, now FROM counted),
     first AS (
         INSERT INTO first_event (run_id, seq, kind, link) SELECT $1, $2, $3, -1 FROM counted
         ON CONFLICT DO NOTHING RETURNING 1),
     first_of_class AS (
         INSERT INTO bounce (run_id, seq, class, reason, status, evidence, occurred_at)
         SELECT $1, $2, $4, $6, $7, $8, now FROM counted WHERE $3 = 'bounce'
         ON CONFLICT DO NOTHING RETURNING 1),
     tallied AS (
         INSERT INTO tally_delta (run_id, kind, detail, total, people)
         SELECT $1, $3, $4, 1, CASE WHEN $3 = 'bounce' THEN (SELECT count(*) FROM first_of_class)
                                    ELSE (SELECT count(*) FROM first) END
         FROM counted),
     stopped AS (
         INSERT INTO stop (account_id, member_id, scope, reason, occurred_at)
         SELECT account_id, member_id, 'all',
                CASE $3 WHEN 'complaint' THEN 'complained' WHEN 'unsubscribe' THEN 'unsubscribed' ELSE 'bounced' END, now
         FROM fresh WHERE $3 <> 'bounce' OR $9
         ON CONFLICT DO NOTHING),
     struck AS (
         INSERT INTO strike (account_id, member_id, run_id, at) SELECT account_id, member_id, $1, now FROM fresh WHERE $10
         ON CONFLICT DO NOTHING)
SELECT EXISTS (SELECT FROM delivery) AS known, EXISTS (SELECT FROM fresh) AS fresh;

-- name: reply_address
SELECT app.reply_address($1);
