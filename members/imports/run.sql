-- name: open
SELECT * FROM import WHERE import_id = $1;

-- name: state
SELECT state FROM import WHERE import_id = $1;

-- name: start
UPDATE import SET state = 'running' WHERE import_id = $1 AND state IN ('waiting', 'running') RETURNING rows_done;

-- name: found
-- What was found out by reading the file; written once, so that a resumed run reads it the same way.
UPDATE import SET settings = settings || $2, rows_total = $3, report = $4 WHERE import_id = $1 AND state = 'running';

-- name: add_header
INSERT INTO import_reject (import_id, no, sealed) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING;

-- name: finish
UPDATE import
SET state = CASE WHEN dry_run THEN 'checked' ELSE 'finished' END, rows_total = rows_done, finished_at = app.now()
WHERE import_id = $1 AND rows_done = $2 AND state = 'running'
RETURNING state;

-- name: fail
UPDATE import SET state = 'failed', error = $2, finished_at = app.now()
WHERE import_id = $1 AND state IN ('waiting', 'running');
