-- name: add
-- The first reason stands.
INSERT INTO suppression (account_id, hash, scope, reason, occurred_at) VALUES ($1, $2, $3, $4, coalesce($5, app.now()))
ON CONFLICT DO NOTHING;

-- name: get
SELECT hash, scope, reason, occurred_at FROM suppression WHERE account_id = $1 AND hash = $2 AND scope = $3;

-- name: list
-- Walks the primary key from the cursor on.
SELECT hash, scope, reason, occurred_at FROM suppression
WHERE account_id = $1 AND (hash, scope) > ($2::bytea, $3::text)
  AND ($5::text IS NULL OR scope = $5) AND ($6::text IS NULL OR reason = $6)
ORDER BY hash, scope
LIMIT $4;

-- name: members_of
-- A walk over the account's members: neither column has an index, which each new member would pay for. $2 hashes of
-- addresses, $3 tags of domains, $4 both as entries, $7 their scope; who has another entry in it besides is not theirs
-- alone.
SELECT m.member_id FROM member m
WHERE m.account_id = $1 AND m.member_id > $5
  AND (m.suppression_hash = ANY ($2::bytea[]) OR m.tag = ANY ($3::bigint[]))
  AND NOT EXISTS (SELECT FROM suppression s
                  WHERE s.account_id = $1 AND s.hash IN (m.suppression_hash, int8send(m.tag))
                    AND (s.scope = $7 AND s.hash <> ALL ($4::bytea[]) OR s.scope = 'global'))
ORDER BY m.member_id
LIMIT $6;

-- name: remove
DELETE FROM suppression WHERE account_id = $1 AND hash = $2 AND scope = $3 RETURNING reason;

-- name: revive
-- Active if the last word on all mail is a consent.
UPDATE member m
SET status = CASE WHEN 'given' = (SELECT c.kind FROM consent c
                                  WHERE c.account_id = m.account_id AND c.member_id = m.member_id AND c.scope = 'all'
                                  ORDER BY c.occurred_at DESC, c.recorded_at DESC LIMIT 1)
                  THEN 'active' ELSE 'pending' END,
    revision = m.revision + 1, updated_at = app.now()
WHERE m.account_id = $1 AND m.suppression_hash = $2 AND m.status = 'bounced';

-- name: carry
SELECT app.carry_stops($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[]);
