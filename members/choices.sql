-- name: set_tracking
UPDATE member SET tracking = $3, revision = revision + 1, updated_at = app.now()
WHERE account_id = $1 AND member_id = $2
RETURNING revision;

-- name: set_least_days
UPDATE member SET least_days = $3, revision = revision + 1, updated_at = app.now()
WHERE account_id = $1 AND member_id = $2
RETURNING revision;
