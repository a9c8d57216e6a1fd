-- name: ask
-- One that waits is enough; one that is under way may have read the keys already. $3: in how many seconds it is due.
INSERT INTO job (job_id, account_id, kind, subject_id, not_before)
SELECT $1, $2, 'reseal', $2, app.now() + make_interval(secs => $3)
WHERE NOT EXISTS (SELECT FROM job WHERE account_id = $2 AND kind = 'reseal' AND state = 'ready');

-- name: release
UPDATE job SET not_before = app.now() WHERE account_id = $1 AND kind = 'reseal' AND state = 'ready';

-- name: latest
SELECT state, error FROM job WHERE account_id = $1 AND kind = 'reseal' ORDER BY created_at DESC LIMIT 1;
