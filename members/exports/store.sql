-- name: begin
INSERT INTO export (export_id, account_id, state, settings, ring_version, wrapped, created_at, expires_at)
VALUES ($1, $2, 'waiting', $3, $4, $5, $7, app.now() + make_interval(secs => $6))
RETURNING *;

-- name: get
-- One whose time is over is gone, whether it was swept already or not.
SELECT * FROM export
WHERE account_id = $1 AND export_id = $2 AND (state IN ('waiting', 'running') OR expires_at > app.now());

-- name: list
SELECT * FROM export
WHERE account_id = $1 AND ($2::uuid IS NULL OR export_id < $2)
  AND (state IN ('waiting', 'running') OR expires_at > app.now())
ORDER BY export_id DESC
LIMIT $3;

-- name: block
SELECT sealed FROM export_block WHERE export_id = $1 AND no = $2;

-- name: cancel
-- Waits for the page that is being written; the next one finds the state and stops.
UPDATE export SET state = 'cancelled', finished_at = app.now()
WHERE account_id = $1 AND export_id = $2 AND state IN ('waiting', 'running', 'finished')
RETURNING *;

-- name: forget_blocks
-- In steps, so that no statement runs long whatever the file's size.
DELETE FROM export_block WHERE export_id = $1 AND no IN (SELECT no FROM export_block WHERE export_id = $1 LIMIT 200);
