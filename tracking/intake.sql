-- name: record
-- $1 batch; arrays by position: $2 run, $3 seq, $4 kind, $5 link (-1: none). One transaction, whole or not at all.
-- A batch that is there already (its COMMIT's answer was lost) stores nothing again; a copy still in doubt is waited
-- for, by the unique index. Only deliveries that exist are stored: the LATERAL keeps each look-up on the primary key of
-- one partition, whatever the planner believes about the sizes. Rows are inserted in key order, so that two trackers
-- wait for each other and never in a circle.
-- first_event tells people from totals: once for the kind as a whole (link -1), for a click once for its link as well.
-- An unsubscribe stops its member in the same step; of stops that hold, the first of its kind stays.
-- Returns the positions (from 1) that name no delivery.
WITH arrived AS MATERIALIZED (
         SELECT * FROM unnest($2::uuid[], $3::int[], $4::text[], $5::smallint[])
             WITH ORDINALITY AS a (run_id, seq, kind, link, position)),
     known AS MATERIALIZED (
         SELECT a.*, r.member_id, (SELECT app.now()) AS now
         FROM arrived a CROSS JOIN LATERAL (
             SELECT member_id FROM recipient WHERE recipient.run_id = a.run_id AND recipient.seq = a.seq LIMIT 1) r),
     batch AS (
         INSERT INTO ingest_batch (batch_id, at) VALUES ($1, app.now()) ON CONFLICT DO NOTHING RETURNING batch_id),
     fresh AS MATERIALIZED (
         SELECT * FROM known WHERE EXISTS (SELECT FROM batch)),
     stored AS (
         INSERT INTO event (run_id, seq, kind, link, occurred_at)
         SELECT run_id, seq, kind, link, now FROM fresh ORDER BY run_id, seq),
     counted AS MATERIALIZED (
         SELECT run_id, seq, kind, -1::smallint AS link FROM fresh
         UNION ALL
         SELECT run_id, seq, kind, link FROM fresh WHERE link >= 0),
     firsts AS (
         INSERT INTO first_event (run_id, seq, kind, link)
         SELECT DISTINCT run_id, seq, kind, link FROM counted ORDER BY run_id, seq, kind, link
         ON CONFLICT DO NOTHING
         RETURNING run_id, kind, link),
     tallied AS (
         INSERT INTO tally_delta (run_id, kind, link, total, people)
         SELECT run_id, kind, link, sum(total), sum(people)
         FROM (SELECT run_id, kind, link, 1 AS total, 0 AS people FROM counted
               UNION ALL
               SELECT run_id, kind, link, 0, 1 FROM firsts) n
         GROUP BY run_id, kind, link),
     engaged AS (
         INSERT INTO engagement_delta (account_id, member_id, kind, at)
         SELECT DISTINCT run.account_id, f.member_id, f.kind, f.now
         FROM fresh f JOIN run USING (run_id)
         WHERE f.kind IN ('open', 'click')),
     stopped AS (
         INSERT INTO stop (account_id, member_id, scope, reason, occurred_at)
         SELECT DISTINCT run.account_id, f.member_id, 'all', 'unsubscribed', f.now
         FROM fresh f JOIN run USING (run_id)
         WHERE f.kind = 'unsubscribe'
         ORDER BY run.account_id, f.member_id
         ON CONFLICT DO NOTHING)
SELECT position::int FROM arrived EXCEPT SELECT position::int FROM known;
