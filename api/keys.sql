-- name: create
INSERT INTO api_key (api_key_id, account_id, name, digest, scopes) VALUES ($1, $2, $3, $4, $5)
RETURNING api_key_id, account_id, name, scopes, created_at, last_used_at, revoked_at;

-- name: list
SELECT api_key_id, account_id, name, scopes, created_at, last_used_at, revoked_at
FROM api_key WHERE account_id = $1 ORDER BY api_key_id;

-- name: revoke
-- A key that was revoked before keeps its first time.
UPDATE api_key SET revoked_at = coalesce(revoked_at, app.now()) WHERE account_id = $1 AND api_key_id = $2
RETURNING api_key_id, account_id, name, scopes, created_at, last_used_at, revoked_at;

-- name: authenticate
-- One round trip; the note of last use is written once a minute at most, so that a busy key costs no write a request.
WITH found AS (
    SELECT api_key_id, account_id, name, scopes, created_at, last_used_at, revoked_at
    FROM api_key WHERE digest = $1 AND revoked_at IS NULL
), noted AS (
    UPDATE api_key SET last_used_at = app.now()
    WHERE api_key_id IN (SELECT api_key_id FROM found
                         WHERE last_used_at IS NULL OR last_used_at < app.now() - interval '1 minute')
)
SELECT * FROM found;
