-- name: keep
INSERT INTO consent_evidence (account_id, member_id, commitment, sealed) VALUES ($1, $2, $3, $4);

-- name: forget
DELETE FROM consent_evidence WHERE account_id = $1 AND member_id = $2;

-- name: of_members
-- Locked, so that an erasure waits or is seen; in order, so that two never wait in a circle.
SELECT member_id, commitment, sealed FROM consent_evidence
WHERE account_id = $1 AND member_id = ANY ($2::uuid[])
ORDER BY member_id, commitment
FOR UPDATE;

-- name: reseal
-- The members once more, for a planner that may not loop.
UPDATE consent_evidence e SET sealed = t.sealed
FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS t (member_id, commitment, sealed)
WHERE e.account_id = $1 AND e.member_id = ANY ($2::uuid[])
  AND e.member_id = t.member_id AND e.commitment = t.commitment;
