-- name: stop
-- Carried already: it comes from the vault. $4: in which scopes.
INSERT INTO stop (account_id, member_id, scope, reason, occurred_at, carried_at)
SELECT $1, member_id, scope, $3, app.now(), app.now() FROM unnest($2::uuid[]) AS member_id, unnest($4::text[]) AS scope
ON CONFLICT DO NOTHING;

-- name: forgive
-- What the suppression list's keeper may undo: a receiver's word about the address, not the member's own.
UPDATE stop SET lifted_at = app.now()
WHERE account_id = $1 AND member_id = ANY ($2::uuid[]) AND scope = $3 AND lifted_at IS NULL
  AND reason IN ('bounced', 'complained', 'manual');

-- name: lift
-- Only what the member did alone: a bounce or a complaint is not undone by a form. Within 5 s the stop wins.
UPDATE stop SET lifted_at = app.now()
WHERE account_id = $1 AND member_id = $2 AND scope = ANY ($4::text[]) AND lifted_at IS NULL
  AND reason IN ('unsubscribed', 'erased')
  AND occurred_at + interval '5 seconds' < $3;
