-- name: record
-- $1 batch; arrays by position: $2 run, $3 seq, $4 kind, $5 link (-1: none), $6 seconds since it happened, $7 its agent's hash.
-- Arrays by agent: $8 hash, $9 text, $10 label, $11 rule. One transaction, whole or not at all.
-- A batch that is there already (its COMMIT's answer was lost) stores nothing again; a copy still in doubt is waited
-- for, by the unique index. Its id is forgotten after a time, its events are not: one that comes again from a spool of
-- last month is known by them. Only deliveries that exist are stored: the LATERAL keeps each look-up on the primary key of
-- one partition, whatever the planner believes about the sizes. Rows are inserted in key order, so that two trackers
-- wait for each other and never in a circle.
-- Sequence number 0 is nobody: of a mail whose tokens name its run alone, counted in totals and as no person.
-- first_event tells people from totals: once for the kind as a whole (link -1), for a click once for its link as well.
-- What comes to a run of a closed month is counted no more, and stops its member all the same.
-- An unsubscribe stops its member in the same step; of stops that hold, the first of its kind stays.
-- Agents are kept up to a bound, so that nobody can fill the table with invented ones; CASE, so that only a new one has
-- them counted.
-- Returns the positions (from 1) that name no delivery.
WITH arrived AS MATERIALIZED (
         SELECT * FROM unnest($2::uuid[], $3::int[], $4::text[], $5::smallint[], $6::float8[], $7::bigint[])
             WITH ORDINALITY AS a (run_id, seq, kind, link, age, agent, position)),
     agents AS MATERIALIZED (
         SELECT * FROM unnest($8::bigint[], $9::text[], $10::text[], $11::text[]) AS g (agent, text, label, rule)),
     known AS MATERIALIZED (
         SELECT a.*, r.member_id, (SELECT app.now()) - make_interval(secs => a.age) AS occurred_at
         FROM arrived a CROSS JOIN LATERAL (
             SELECT member_id FROM recipient WHERE recipient.run_id = a.run_id AND recipient.seq = a.seq
             UNION ALL
             SELECT NULL WHERE a.seq = 0 AND a.kind <> 'unsubscribe' AND EXISTS (SELECT FROM run WHERE run_id = a.run_id)
             LIMIT 1) r),
     batch AS (
         INSERT INTO ingest_batch (batch_id, at)
         SELECT $1, app.now() WHERE NOT EXISTS (SELECT FROM event WHERE batch_id = $1)
         ON CONFLICT DO NOTHING RETURNING batch_id),
     heard AS MATERIALIZED (
         SELECT * FROM known WHERE EXISTS (SELECT FROM batch)),
     fresh AS MATERIALIZED (
         SELECT * FROM heard WHERE run_id >= (SELECT closed_before FROM retention)),
     stored AS (
         INSERT INTO event (run_id, seq, kind, link, occurred_at, batch_id, place, agent, label, rule)
         SELECT f.run_id, f.seq, f.kind, f.link, f.occurred_at, $1, f.position, agent, g.label, g.rule
         FROM fresh f JOIN agents g USING (agent) ORDER BY f.run_id, f.seq),
     named AS (
         INSERT INTO agent (agent, text)
         SELECT agent, text FROM agents g
         WHERE CASE WHEN agent = 0 OR EXISTS (SELECT FROM agent WHERE agent.agent = g.agent) THEN false
                    ELSE (SELECT count(*) FROM agent) < 50000 END
         ORDER BY agent
         ON CONFLICT DO NOTHING),
     counted AS MATERIALIZED (
         SELECT run_id, seq, kind, -1::smallint AS link FROM fresh
         UNION ALL
         SELECT run_id, seq, kind, link FROM fresh WHERE link >= 0),
     firsts AS (
         INSERT INTO first_event (run_id, seq, kind, link)
         SELECT DISTINCT run_id, seq, kind, link FROM counted WHERE seq > 0 ORDER BY run_id, seq, kind, link
         ON CONFLICT DO NOTHING
         RETURNING run_id, kind, link),
     tallied AS (
         INSERT INTO tally_delta (run_id, kind, link, total, people)
         SELECT run_id, kind, link, sum(total), sum(people)
         FROM (SELECT run_id, kind, link, 1 AS total, 0 AS people FROM counted
               UNION ALL
               SELECT run_id, kind, link, 0, 1 FROM firsts) n
         GROUP BY run_id, kind, link),
     stopped AS (
         INSERT INTO stop (account_id, member_id, scope, reason, occurred_at)
         SELECT run.account_id, f.member_id, 'all', 'unsubscribed', min(f.occurred_at)
         FROM heard f JOIN run USING (run_id)
         WHERE f.kind = 'unsubscribe'
         GROUP BY run.account_id, f.member_id
         ORDER BY run.account_id, f.member_id
         ON CONFLICT DO NOTHING)
SELECT position::int FROM arrived EXCEPT SELECT position::int FROM known;
