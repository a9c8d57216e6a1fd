-- name: stop
-- Carried already: it comes from the vault.
INSERT INTO stop (account_id, member_id, reason, occurred_at, carried_at)
SELECT $1, unnest($2::uuid[]), $3, app.now(), app.now()
ON CONFLICT DO NOTHING;

-- name: forgive
-- What the suppression list's keeper may undo: a receiver's word about the address, not the member's own.
UPDATE stop SET lifted_at = app.now()
WHERE account_id = $1 AND member_id = ANY ($2::uuid[]) AND lifted_at IS NULL
  AND reason IN ('bounced', 'complained', 'manual');

-- name: lift
-- Only what the member did alone: a bounce or a complaint is not undone by a form. Within 5 s the stop wins.
UPDATE stop SET lifted_at = app.now()
WHERE account_id = $1 AND member_id = $2 AND lifted_at IS NULL AND reason IN ('unsubscribed', 'erased')
  AND occurred_at + interval '5 seconds' < $3;
