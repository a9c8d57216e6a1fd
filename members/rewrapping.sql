-- name: rings
-- Retired versions are empty: there is nothing left to wrap.
SELECT account_id, purpose, version, wrapped FROM keys.ring WHERE kek_fingerprint <> $1 AND state <> 'retired';

-- name: rewrap_ring
-- Compare-and-set: a version that was retired in between stays destroyed.
UPDATE keys.ring SET wrapped = $5, kek_fingerprint = $6
WHERE account_id = $1 AND purpose = $2 AND version = $3 AND wrapped = $4;

-- name: installation
SELECT purpose, wrapped FROM keys.installation WHERE kek_fingerprint <> $1;

-- name: rewrap_installation
UPDATE keys.installation SET wrapped = $3, kek_fingerprint = $4 WHERE purpose = $1 AND wrapped = $2;
