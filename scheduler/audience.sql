-- name: run
SELECT state, audience, report_by, audience_state FROM run WHERE run_id = $1;

-- name: make_stage
-- One a connection, kept: creating and dropping one each slice would bloat the catalogue.
CREATE TEMPORARY TABLE IF NOT EXISTS audience_stage (member_id uuid NOT NULL, tag bigint NOT NULL, key text);

-- name: empty_stage
TRUNCATE audience_stage;

-- name: spare
-- Who asked for at least so many days between two mails and was among the recipients of a campaign's run since: one that has
-- started, or that is to start before this one. Few ask for less, and few runs lie that close: each is a probe of the unique
-- (run_id, member_id).
WITH this AS MATERIALIZED (SELECT run_id, account_id, starts_at FROM run WHERE run_id = $1),
     recent AS MATERIALIZED (
         SELECT r.run_id, r.starts_at FROM run r JOIN this USING (account_id)
         WHERE r.kind = 'campaign' AND r.run_id <> this.run_id AND (r.state <> 'cancelled' OR r.started_at IS NOT NULL)
           AND r.starts_at <= this.starts_at AND r.starts_at > this.starts_at - interval '366 days')
DELETE FROM audience_stage s
USING unnest($2::uuid[], $3::integer[]) AS a (member_id, days)
WHERE s.member_id = a.member_id
  AND EXISTS (SELECT FROM recent r, this
              WHERE r.starts_at > this.starts_at - make_interval(days => a.days)
                AND EXISTS (SELECT FROM recipient x WHERE x.run_id = r.run_id AND x.member_id = a.member_id OFFSET 0));

-- name: fence
-- First in the transaction that commits a slice: the job is ours and its worker is not retired, until we are done.
-- The worker's row is locked before the job's, as by whoever retires a worker.
SELECT 1 FROM job JOIN worker USING (owner)
WHERE job.job_id = $1 AND job.owner = $2 AND job.epoch = $3 AND job.state = 'leased' AND worker.reaped_at IS NULL
FOR SHARE OF worker FOR NO KEY UPDATE OF job;

-- name: snapshot
-- Only the holder of the run's one slice job changes these.
SELECT snapshot, left_out, rate_per_hour FROM run WHERE run_id = $1;

-- name: insert_recipients
-- Sequence numbers go on from $2, grouped by destination within the slice. $3 keys, $4 the cell of each.
INSERT INTO recipient (run_id, seq, member_id, tag, cell)
SELECT $1, $2 + row_number() OVER (ORDER BY s.tag, s.member_id), s.member_id, s.tag, coalesce(c.no, 0)
FROM audience_stage s LEFT JOIN unnest($3::text[], $4::smallint[]) AS c (key, no) USING (key);

-- name: staged_keys
SELECT key, count(*)::int AS recipients FROM audience_stage WHERE key IS NOT NULL GROUP BY key ORDER BY key;

-- name: traits
SELECT no, dimension, name, part, value FROM trait WHERE run_id = $1;

-- name: cells
SELECT no, key FROM cell WHERE run_id = $1;

-- name: insert_trait
INSERT INTO trait (run_id, no, dimension, name, part, value) VALUES ($1, $2, $3, $4, $5, $6);

-- name: insert_cell
INSERT INTO cell (run_id, no, key, traits) VALUES ($1, $2, $3, $4);

-- name: count_snapshot
-- $2 cells, $3 how many recipients come into each, counted for each of its traits.
INSERT INTO breakdown_delta (run_id, dimension, value, kind, total, people)
SELECT $1, 'trait', t.trait, 'snapshot', sum(n.recipients), 0
FROM unnest($2::smallint[], $3::integer[]) AS n (cell, recipients)
JOIN cell c ON c.run_id = $1 AND c.no = n.cell
CROSS JOIN LATERAL unnest(c.traits) AS t (trait)
GROUP BY t.trait;

-- name: insert_chunks
INSERT INTO chunk (run_id, first_seq, last_seq)
SELECT $1, c.first_seq, c.last_seq FROM unnest($2::int[], $3::int[]) AS c (first_seq, last_seq);

-- name: catch_up
-- A running lane that had nothing left to claim gets new work: what it missed is not made up for at others' cost.
UPDATE lane SET vtime = greatest(vtime, app.least_vtime(pool, run_id))
WHERE run_id = $1 AND state = 'running'
  AND NOT EXISTS (SELECT FROM chunk WHERE chunk.run_id = lane.run_id AND chunk.state <> 'done');

-- name: grow
-- Last, since it locks the run's row: starting and pausing don't wait for a slice. No row: the run has ended.
UPDATE run SET snapshot = $2, left_out = $3, audience_state = $4
WHERE run_id = $1 AND audience_state = 'cutting' AND state NOT IN ('cancelling', 'cancelled', 'finished')
RETURNING 1;

-- name: next_job
INSERT INTO job (job_id, account_id, kind, subject_id, payload) VALUES ($1, $2, 'audience_slice', $3, $4);

-- name: end_job
UPDATE job SET state = 'done', owner = NULL, error = NULL WHERE job_id = $1;
