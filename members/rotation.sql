-- name: versions
SELECT purpose, version, state, generation, epoch, created_at FROM keys.ring
WHERE account_id = $1 AND purpose <> 'suppression'
ORDER BY purpose DESC, version;

-- name: members_by_seal
SELECT ring_version AS version, count(*) AS members FROM keys.member_key WHERE account_id = $1 GROUP BY 1;

-- name: members_by_index
SELECT index_version AS version, count(*) AS members FROM address_index WHERE account_id = $1 GROUP BY 1;

-- name: next_epoch
-- A change of a ring and its epoch are seen at once, since they commit together.
UPDATE keys.epoch SET epoch = epoch + 1 RETURNING epoch;

-- name: add
-- Adds nothing while the newest version still waits to be made primary.
INSERT INTO keys.ring (account_id, purpose, version, state, wrapped, kek_fingerprint, generation, epoch)
SELECT account_id, purpose, version + 1, 'open', $4, $5, $6, $7 FROM keys.ring
WHERE account_id = $1 AND purpose = $2 AND state = 'primary' AND version + 1 = $3
ON CONFLICT DO NOTHING
RETURNING version;

-- name: demote
-- Before `promote`: never are there two primary versions, not even within a transaction.
UPDATE keys.ring SET state = 'open' WHERE account_id = $1 AND purpose = $2 AND state = 'primary' AND version + 1 = $3
RETURNING version;

-- name: promote
UPDATE keys.ring SET state = 'primary', generation = $4, epoch = $5
WHERE account_id = $1 AND purpose = $2 AND version = $3 AND state = 'open'
RETURNING version;

-- name: retire
-- The wrapped key is overwritten: from here on nobody can open what is sealed by it.
UPDATE keys.ring SET state = 'retired', wrapped = '', generation = $4, epoch = $5
WHERE account_id = $1 AND purpose = $2 AND version < $3 AND state = 'open'
RETURNING version;

-- name: lagging
SELECT count(*) FROM member WHERE account_id = $1 AND generation < $2;

-- name: member_keys_before
SELECT count(*) FROM keys.member_key WHERE account_id = $1 AND ring_version < $2;

-- name: file_keys_before
SELECT (SELECT count(*) FROM import WHERE account_id = $1 AND ring_version < $2)
     + (SELECT count(*) FROM export WHERE account_id = $1 AND ring_version < $2);

-- name: forget_index
-- In steps, so that no statement runs long; walks the primary key.
DELETE FROM address_index
WHERE account_id = $1 AND index_version < $2 AND hmac IN (
    SELECT hmac FROM address_index WHERE account_id = $1 AND index_version < $2 LIMIT 10000);
