-- name: ask
-- One for each worker that could share the account, as far as none waits already; one that is under way may have read the
-- keys before they changed. $3: in how many seconds they are due.
INSERT INTO job (job_id, account_id, kind, subject_id, not_before)
SELECT t.job_id, $2, 'reseal', $2, app.now() + make_interval(secs => $3)
FROM unnest($1::uuid[]) WITH ORDINALITY AS t (job_id, no)
WHERE t.no <= greatest(1, (SELECT count(*) FROM worker
                           WHERE pool = 'jobs' AND reaped_at IS NULL AND alive_until > (SELECT app.now())))
            - (SELECT count(*) FROM job WHERE account_id = $2 AND kind = 'reseal' AND state = 'ready');

-- name: release
UPDATE job SET not_before = app.now() WHERE account_id = $1 AND kind = 'reseal' AND state = 'ready';

-- name: latest
-- One that is not over, if there is any: of workers that share an account one may be through before the others.
SELECT state, error FROM job WHERE account_id = $1 AND kind = 'reseal'
ORDER BY state IN ('ready', 'leased') DESC, created_at DESC LIMIT 1;
