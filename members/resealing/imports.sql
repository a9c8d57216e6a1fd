-- name: keys
SELECT import_id, account_id, ring_version, wrapped FROM import WHERE account_id = $1 AND ring_version <> $2;

-- name: rewrap
UPDATE import SET ring_version = $3, wrapped = $4 WHERE import_id = $1 AND ring_version = $2;
