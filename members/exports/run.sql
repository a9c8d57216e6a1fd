-- name: start
UPDATE export SET state = 'running' WHERE export_id = $1 AND state IN ('waiting', 'running') RETURNING *;

-- name: state
SELECT state FROM export WHERE export_id = $1;

-- name: count
-- The newest member is where the export ends: who comes later is not in it.
SELECT (SELECT member_id FROM member WHERE account_id = $1 ORDER BY member_id DESC LIMIT 1) AS upper, count(*) AS total
FROM member
WHERE account_id = $1;

-- name: found
UPDATE export SET upper = $2, rows_total = $3 WHERE export_id = $1 AND state = 'running';

-- name: page
-- Walks the primary key from the last member of the page before.
SELECT m.member_id, m.status, m.facets, m.sealed, m.created_at, m.updated_at, k.ring_version, k.wrapped
FROM member m
JOIN keys.member_key k USING (account_id, member_id)
WHERE m.account_id = $1 AND m.member_id > $2 AND m.member_id <= $3
ORDER BY m.member_id
LIMIT $4;

-- name: chosen
SELECT m.member_id, m.status, m.facets, m.sealed, m.created_at, m.updated_at, k.ring_version, k.wrapped
FROM member m
JOIN keys.member_key k USING (account_id, member_id)
WHERE m.account_id = $1 AND m.member_id = ANY ($2::uuid[])
ORDER BY m.member_id;

-- name: advance
-- The fence of a page: of two workers only one finds as many blocks as it left, and one that was cancelled none.
UPDATE export
SET blocks = blocks + $3, after = $4, rows_done = least(rows_done + $5, rows_total), written = written + $6,
    unreadable = unreadable + $7, bytes = bytes + $8
WHERE export_id = $1 AND blocks = $2 AND state = 'running'
RETURNING blocks;

-- name: add_blocks
INSERT INTO export_block (export_id, no, sealed) SELECT $1, * FROM unnest($2::integer[], $3::bytea[]);

-- name: finish
UPDATE export
SET state = 'finished', rows_done = rows_total, finished_at = app.now(),
    expires_at = app.now() + make_interval(secs => $3)
WHERE export_id = $1 AND blocks = $2 AND state = 'running'
RETURNING export_id;

-- name: fail
UPDATE export SET state = 'failed', error = $2, finished_at = app.now()
WHERE export_id = $1 AND state IN ('waiting', 'running');
