-- name: block
SELECT sealed FROM import_block WHERE import_id = $1 AND no = $2;

-- name: reject_block
SELECT sealed FROM import_reject WHERE import_id = $1 AND no = $2;

-- name: reject_blocks
SELECT no FROM import_reject WHERE import_id = $1 ORDER BY no;

-- name: forget_blocks
-- In steps, so that no statement runs long whatever the file's size.
DELETE FROM import_block WHERE import_id = $1 AND no IN (SELECT no FROM import_block WHERE import_id = $1 LIMIT 200);

-- name: forget_seen
DELETE FROM import_seen WHERE import_id = $1
AND member_id IN (SELECT member_id FROM import_seen WHERE import_id = $1 LIMIT 20000);
