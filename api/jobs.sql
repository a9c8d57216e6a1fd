-- name: prepare
-- Not due for a while, longer than a statement may take: its subject is made ready in the other database first. If we
-- die in between, the job still comes.
INSERT INTO job (job_id, account_id, kind, subject_id, not_before)
VALUES ($1, $2, $3, $4, app.now() + interval '1 minute');

-- name: release
UPDATE job SET not_before = app.now() WHERE job_id = $1 AND state = 'ready';

-- name: drop
DELETE FROM job WHERE job_id = $1 AND state = 'ready';
