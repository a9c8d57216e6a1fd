-- name: lock_account
-- First, in a statement of its own: what is counted next is then seen as the request before left it.
SELECT 1 FROM account WHERE account_id = $1 FOR NO KEY UPDATE;

-- name: create
-- $7 webhooks at the most.
INSERT INTO webhook (webhook_id, account_id, url, events, enabled, key_version)
SELECT $1, $2, $3, $4, $5, $6 WHERE (SELECT count(*) FROM webhook WHERE account_id = $2) < $7
RETURNING webhook_id, url, events, enabled, reason, key_version, secret_version, revision, created_at;

-- name: get
SELECT webhook_id, url, events, enabled, reason, key_version, secret_version, revision, created_at FROM webhook
WHERE account_id = $1 AND webhook_id = $2;

-- name: list
SELECT webhook_id, url, events, enabled, reason, key_version, secret_version, revision, created_at FROM webhook
WHERE account_id = $1 AND ($2::uuid IS NULL OR webhook_id > $2) ORDER BY webhook_id LIMIT $3;

-- name: change
-- What it was turned off for is over once a person turns it on, or off.
UPDATE webhook SET url = $4, events = $5, enabled = $6, reason = NULL, revision = revision + 1
WHERE account_id = $1 AND webhook_id = $2 AND revision = $3
RETURNING webhook_id, url, events, enabled, reason, key_version, secret_version, revision, created_at;

-- name: rotate
-- The former secret signs for $4 seconds more, so that the receiver can change over without losing a post.
UPDATE webhook SET previous_key_version = key_version, previous_secret_version = secret_version,
       previous_until = app.now() + make_interval(secs => $4),
       key_version = $3, secret_version = secret_version + 1, revision = revision + 1
WHERE account_id = $1 AND webhook_id = $2
RETURNING webhook_id, url, events, enabled, reason, key_version, secret_version, revision, created_at;

-- name: remove
DELETE FROM webhook WHERE account_id = $1 AND webhook_id = $2 RETURNING 1;
