-- name: find
SELECT member_id, verifier FROM app.credential_of($1, $2::integer[], $3::bytea[]);

-- name: set
INSERT INTO credential (account_id, member_id, verifier) VALUES ($1, $2, $3)
ON CONFLICT (account_id, member_id) DO UPDATE SET verifier = excluded.verifier, changed_at = app.now();

-- name: remove
DELETE FROM credential WHERE account_id = $1 AND member_id = $2;

-- name: since
SELECT changed_at FROM credential WHERE account_id = $1 AND member_id = $2;
