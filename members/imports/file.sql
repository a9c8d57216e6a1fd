-- name: block
SELECT sealed FROM import_block WHERE import_id = $1 AND no = $2;

-- name: reject_block
SELECT sealed FROM import_reject WHERE import_id = $1 AND no = $2;

-- name: reject_blocks
SELECT no FROM import_reject WHERE import_id = $1 ORDER BY no;
