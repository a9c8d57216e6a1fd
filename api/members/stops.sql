-- name: stop
-- The first stop of a member stays, as the tracker's does.
INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, $3, app.now())
ON CONFLICT DO NOTHING;
