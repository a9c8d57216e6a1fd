-- name: create
INSERT INTO segment (segment_id, account_id, name, rule) VALUES ($1, $2, $3, $4) RETURNING *;

-- name: list
SELECT * FROM segment WHERE account_id = $1 ORDER BY segment_id;

-- name: get
SELECT * FROM segment WHERE account_id = $1 AND segment_id = $2;

-- name: change
UPDATE segment SET name = $4, rule = $5, revision = revision + 1
WHERE account_id = $1 AND segment_id = $2 AND revision = $3
RETURNING *;

-- name: remove
DELETE FROM segment WHERE account_id = $1 AND segment_id = $2 RETURNING segment_id;
