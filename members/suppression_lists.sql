-- name: add_many
-- The first reason stands, of two lines of one list as well. Returns what is new.
INSERT INTO suppression (account_id, hash, scope, reason, occurred_at)
SELECT $1, t.hash, t.scope, t.reason, coalesce(t.occurred_at, app.now())
FROM unnest($2::bytea[], $3::text[], $4::text[], $5::timestamptz[]) AS t (hash, scope, reason, occurred_at)
ON CONFLICT DO NOTHING
RETURNING hash, scope;

-- name: page
-- Without the operator's: an account can't set those anew.
SELECT hash, scope, reason, occurred_at FROM suppression
WHERE account_id = $1 AND (hash, scope) > ($2::bytea, $3::text) AND scope <> 'global'
ORDER BY hash, scope
LIMIT $4;
