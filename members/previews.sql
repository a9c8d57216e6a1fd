-- name: forget
-- The account's and all others': a preview lives for an hour, read or not.
DELETE FROM preview WHERE created_at < app.now() - interval '1 hour';

-- name: begin
-- What is to be done is counted once, by the primary key alone, so that progress has an end.
INSERT INTO preview (preview_id, account_id, rule, at, upper, total)
SELECT $1, $2, $3, $4, (SELECT member_id FROM member WHERE account_id = $2 ORDER BY member_id DESC LIMIT 1),
       (SELECT count(*) FROM member WHERE account_id = $2)
RETURNING *;

-- name: get
SELECT * FROM preview WHERE account_id = $1 AND preview_id = $2 AND created_at >= app.now() - interval '1 hour';

-- name: cancel
DELETE FROM preview WHERE account_id = $1 AND preview_id = $2 RETURNING 1;

-- name: progress
-- $3: where this range began. No row: it was cancelled, or another worker has gone on from there.
UPDATE preview
SET state = CASE WHEN $4::uuid < upper THEN 'running' ELSE 'finished' END,
    after = $4, done = CASE WHEN $4 < upper THEN least(total, done + $5) ELSE total END, matching = $6, left_out = $7, samples = $8
WHERE account_id = $1 AND preview_id = $2 AND after IS NOT DISTINCT FROM $3 AND state IN ('waiting', 'running')
RETURNING state;

-- name: fail
UPDATE preview SET state = 'failed', error = $3
WHERE account_id = $1 AND preview_id = $2 AND state IN ('waiting', 'running');
