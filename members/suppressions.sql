-- name: add
-- The first reason stands.
INSERT INTO suppression (account_id, hash, reason, occurred_at) VALUES ($1, $2, $3, coalesce($4, app.now()))
ON CONFLICT DO NOTHING;

-- name: get
SELECT hash, scope, reason, occurred_at FROM suppression WHERE account_id = $1 AND hash = $2 AND scope = 'all';

-- name: list
SELECT hash, scope, reason, occurred_at FROM suppression
WHERE account_id = $1 AND ($2::bytea IS NULL OR hash > $2) AND scope = 'all'
ORDER BY hash
LIMIT $3;

-- name: members_of
SELECT member_id FROM member WHERE account_id = $1 AND suppression_hash = $2;

-- name: remove
DELETE FROM suppression WHERE account_id = $1 AND hash = $2 AND scope = 'all' RETURNING hash;

-- name: carry
SELECT app.carry_stops($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]);
