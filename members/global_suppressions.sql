-- name: any
SELECT EXISTS (SELECT FROM global_suppression);

-- name: of
SELECT hash FROM global_suppression WHERE hash = ANY ($1::bytea[]);

-- name: add
-- The first reason stands.
INSERT INTO global_suppression (hash, reason) SELECT unnest($1::bytea[]), $2 ON CONFLICT DO NOTHING;

-- name: remove
DELETE FROM global_suppression WHERE hash = ANY ($1::bytea[]) RETURNING hash;

-- name: accounts
SELECT account_id FROM keys.ring WHERE purpose = 'suppression' ORDER BY account_id;

-- name: add_to_account
INSERT INTO suppression (account_id, hash, scope, reason, occurred_at)
SELECT $1, unnest($2::bytea[]), $4, $3, app.now()
ON CONFLICT DO NOTHING;

-- name: remove_from_account
DELETE FROM suppression WHERE account_id = $1 AND hash = ANY ($2::bytea[]) AND scope = $3;

-- name: members
-- A walk over the account's members: see suppressions.sql.
SELECT member_id FROM member WHERE account_id = $1 AND suppression_hash = ANY ($2::bytea[]) ORDER BY member_id;

-- name: counts
SELECT reason, count(*) AS total FROM global_suppression GROUP BY reason ORDER BY reason;
