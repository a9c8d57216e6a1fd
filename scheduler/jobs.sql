-- name: claim
-- $1 owner, $2 kinds. The worker's row is locked FOR SHARE: retiring it either waits for this claim or makes it find
-- nothing; only where there is a job, since a lock is a write and an idle worker asks ten times a second.
-- Of jobs about one thing a worker does one at a time: several are for several workers, who share it.
-- LIMIT stands in a materialized CTE, since the planner may otherwise run it again and claim more.
WITH me AS MATERIALIZED (
         SELECT owner FROM worker
         WHERE owner = $1 AND reaped_at IS NULL AND alive_until > (SELECT app.now())
           AND EXISTS (SELECT FROM job WHERE state = 'ready' AND kind = ANY ($2::text[])
                                         AND not_before <= (SELECT app.now()))
         FOR SHARE),
     due AS MATERIALIZED (
         SELECT job_id FROM job
         WHERE state = 'ready' AND kind = ANY ($2::text[]) AND not_before <= (SELECT app.now())
           AND EXISTS (SELECT FROM me)
           AND NOT EXISTS (SELECT FROM job mine WHERE mine.owner = $1 AND mine.state = 'leased'
                                                  AND mine.kind = job.kind AND mine.subject_id = job.subject_id)
         ORDER BY not_before, job_id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
UPDATE job SET state = 'leased', owner = $1, epoch = epoch + 1, attempts = attempts + 1
FROM due WHERE job.job_id = due.job_id
RETURNING job.job_id, job.account_id, job.kind, job.subject_id, job.payload, job.owner, job.epoch, job.attempts;

-- name: done
UPDATE job SET state = 'done', owner = NULL, error = NULL
WHERE job_id = $1 AND owner = $2 AND epoch = $3 AND state = 'leased' RETURNING 1;

-- name: postpone
-- The fault was not the job's: this attempt does not count.
UPDATE job SET state = 'ready', owner = NULL, error = $4, attempts = attempts - 1,
       not_before = app.now() + make_interval(secs => $5)
WHERE job_id = $1 AND owner = $2 AND epoch = $3 AND state = 'leased' RETURNING 1;

-- name: fail
-- $4 why, $5 delay in seconds, or null for never again. A run whose audience can't be had is told so with it.
WITH failed AS (
         UPDATE job SET state = CASE WHEN $5::float IS NULL THEN 'failed' ELSE 'ready' END, owner = NULL, error = $4,
                not_before = app.now() + make_interval(secs => coalesce($5, 0))
         WHERE job_id = $1 AND owner = $2 AND epoch = $3 AND state = 'leased'
         RETURNING kind, subject_id, state),
     told AS (
         UPDATE run SET audience_state = 'failed', reason = $4
         FROM failed WHERE failed.kind = 'audience_slice' AND failed.state = 'failed' AND run_id = failed.subject_id
         RETURNING run_id)
SELECT (SELECT count(*) FROM failed) AS failed, (SELECT count(*) FROM told) AS told;

-- name: give_back_strays
-- After a claim whose answer was lost: jobs that are ours in the table and that we do not know of.
UPDATE job SET state = 'ready', owner = NULL, attempts = attempts - 1
WHERE owner = $1 AND state = 'leased' AND NOT job_id = ANY ($2::uuid[]);

-- name: release_orphans
-- Jobs of owners that are retired. Whoever retires a worker frees its jobs; this is for what slipped between.
UPDATE job SET state = 'ready', owner = NULL
WHERE state = 'leased'
  AND NOT EXISTS (SELECT FROM worker WHERE worker.owner = job.owner AND worker.reaped_at IS NULL)
RETURNING 1;
