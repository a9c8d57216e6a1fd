-- name: fold
-- $1 rows at most. Deltas that another scheduler is folding are skipped. Counters are taken in key order, so that two
-- schedulers wait for each other and never in a circle. The LIMIT stands in a MATERIALIZED part: run twice, it would
-- take twice.
WITH chosen AS MATERIALIZED (
         SELECT delta_id FROM tally_delta ORDER BY delta_id LIMIT $1 FOR UPDATE SKIP LOCKED),
     taken AS (
         DELETE FROM tally_delta d USING chosen c WHERE d.delta_id = c.delta_id
         RETURNING d.run_id, d.kind, d.detail, d.link, d.total, d.people),
     folded AS (
         INSERT INTO tally AS t (run_id, kind, detail, link, total, people)
         SELECT run_id, kind, detail, link, sum(total), sum(people) FROM taken
         GROUP BY run_id, kind, detail, link ORDER BY run_id, kind, detail, link
         ON CONFLICT (run_id, kind, detail, link)
             DO UPDATE SET total = t.total + excluded.total, people = t.people + excluded.people)
SELECT count(*)::int FROM taken;

-- name: read
-- Folded and not yet folded in one statement, so in one snapshot: a fold in between can neither hide nor double a row.
SELECT run_id, kind, detail, link, sum(total)::bigint AS total, sum(people)::bigint AS people
FROM (SELECT run_id, kind, detail, link, total, people FROM tally WHERE run_id = ANY ($1::uuid[])
      UNION ALL
      SELECT run_id, kind, detail, link, total, people FROM tally_delta WHERE run_id = ANY ($1::uuid[])) n
GROUP BY run_id, kind, detail, link;

-- name: forget_batches
-- Settled, and an hour old: by then no first attempt is in doubt any more, and a copy that comes later from a spool is known
-- by its events.
DELETE FROM ingest_batch WHERE batch_id IN (
    SELECT batch_id FROM ingest_batch
    WHERE at < app.now() - interval '1 hour' AND settled_at IS NOT NULL ORDER BY at LIMIT $1);
