-- name: create
INSERT INTO segment (segment_id, account_id, name, rule) VALUES ($1, $2, $3, $4) RETURNING *;

-- name: list
SELECT * FROM segment WHERE account_id = $1 ORDER BY segment_id;

-- name: names
-- Without the rules, which would have to be opened.
SELECT segment_id, name FROM segment WHERE account_id = $1;

-- name: get
SELECT * FROM segment WHERE account_id = $1 AND segment_id = $2;

-- name: change
UPDATE segment SET name = $4, rule = $5, revision = revision + 1
WHERE account_id = $1 AND segment_id = $2 AND revision = $3
RETURNING *;

-- name: remove
DELETE FROM segment WHERE account_id = $1 AND segment_id = $2 RETURNING segment_id;

-- name: lock
-- Rules are checked against one another: while one is being written, no other of the account is, so that two changes
-- can't make a circle that neither of them sees.
SELECT pg_advisory_xact_lock(hashtextextended('segments ' || $1::uuid::text, 0));

-- name: naming
SELECT name FROM segment
WHERE account_id = $1 AND rule @@ ('exists($.** ? (@.segment == ' || to_json($2::text)::text || '))')::jsonpath
ORDER BY name LIMIT 5;

-- name: rules
SELECT segment_id, rule FROM segment WHERE account_id = $1;
