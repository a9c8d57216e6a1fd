-- name: stop
INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, $3, app.now())
ON CONFLICT DO NOTHING;

-- name: forgive
-- What the suppression list's keeper may undo: a receiver's word about the address, not the member's own.
UPDATE stop SET lifted_at = app.now()
WHERE account_id = $1 AND member_id = ANY ($2::uuid[]) AND lifted_at IS NULL AND reason IN ('bounced', 'complained');

-- name: lift
-- Only what the member did alone: a bounce or a complaint is not undone by a form. Within 5 s the stop wins.
UPDATE stop SET lifted_at = app.now()
WHERE account_id = $1 AND member_id = $2 AND lifted_at IS NULL AND reason IN ('unsubscribed', 'erased')
  AND occurred_at + interval '5 seconds' < $3;
