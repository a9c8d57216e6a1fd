-- name: claim
-- One statement decides among racers. A row is taken over once it is a day old, or when its first request has had no
-- answer for a minute: no request may work that long without renewing, so its process is dead.
INSERT INTO idempotency (account_id, key, fingerprint) VALUES ($1, $2, $3)
ON CONFLICT (account_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, status = NULL, headers = NULL, body = NULL, created_at = app.now()
WHERE idempotency.created_at < app.now() - interval '24 hours'
   OR idempotency.status IS NULL AND idempotency.created_at < app.now() - interval '60 seconds'
RETURNING created_at;

-- name: find
SELECT fingerprint, status, headers, body FROM idempotency WHERE account_id = $1 AND key = $2;

-- name: renew
-- created_at is the fence: whoever was taken over no longer finds its row.
UPDATE idempotency SET created_at = app.now()
WHERE account_id = $1 AND key = $2 AND created_at = $3 AND status IS NULL
RETURNING created_at;

-- name: keep
UPDATE idempotency SET fingerprint = $4, status = $5, headers = $6, body = $7
WHERE account_id = $1 AND key = $2 AND created_at = $3 AND status IS NULL;

-- name: release
DELETE FROM idempotency WHERE account_id = $1 AND key = $2 AND created_at = $3 AND status IS NULL;

-- name: wrapped_keys
-- An answer begins with the wrapped key that seals it and with that one's length: a few, whatever the number of answers.
SELECT DISTINCT substring(body FOR 2 + 256 * get_byte(body, 0) + get_byte(body, 1)) AS prefix
FROM idempotency WHERE body IS NOT NULL;

-- name: rewrap
UPDATE idempotency SET body = $2::bytea || substring(body FROM length($1::bytea) + 1)
WHERE substring(body FOR length($1::bytea)) = $1::bytea;
