-- name: insert_member
INSERT INTO member (account_id, member_id, status, sealed, facets, tag, suppression_hash, generation)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: insert_key
INSERT INTO keys.member_key (account_id, member_id, ring_version, wrapped) VALUES ($1, $2, $3, $4);

-- name: remove_address
DELETE FROM address_index WHERE account_id = $1 AND member_id = $2;

-- name: get
SELECT m.*, k.ring_version, k.wrapped, app.now() AS now
FROM member m
JOIN keys.member_key k USING (account_id, member_id)
WHERE m.account_id = $1 AND m.member_id = $2;

-- name: change
-- Compare-and-set on the revision: of two writers that read the same row one wins and the other is told. And on the
-- generation: a member that was re-sealed since has another key, though for its readers nothing changed.
UPDATE member
SET sealed = $4, facets = $5, status = $6, tag = $7, suppression_hash = $8, paused_until = $10,
    revision = revision + 1, updated_at = app.now()
WHERE account_id = $1 AND member_id = $2 AND revision = $3 AND generation = $9
RETURNING revision, updated_at;


-- name: erase_member
-- First the row, as re-sealing takes it first too: two that lock in one order never wait for each other in a circle.
-- Then its addresses: whoever adds one holds the row. The consent ledger stays as proof, naming an id alone.
DELETE FROM member WHERE account_id = $1 AND member_id = $2 RETURNING suppression_hash;

-- name: erase_key
-- Without its key no copy of the row says anything.
DELETE FROM keys.member_key WHERE account_id = $1 AND member_id = $2;

-- name: bury
INSERT INTO erased (account_id, member_id) VALUES ($1, $2) ON CONFLICT DO NOTHING;
