-- name: ring
-- Retired versions open nothing any more. One statement, so that the versions are those of the generation.
SELECT a.generation, r.generation AS since, r.purpose, r.version, r.state, r.wrapped, r.kek_fingerprint
FROM keys.account a
JOIN keys.ring r USING (account_id)
WHERE account_id = $1 AND r.state <> 'retired'
ORDER BY r.purpose, r.version;

-- name: changed
SELECT DISTINCT account_id FROM keys.ring WHERE epoch > $1;

-- name: create_ring
-- The primary key makes a second call a no-op, so that two processes that start at once agree.
WITH account AS (INSERT INTO keys.account (account_id) VALUES ($1) ON CONFLICT DO NOTHING)
INSERT INTO keys.ring (account_id, purpose, version, state, wrapped, kek_fingerprint)
SELECT $1, k.purpose, 1, 'primary', k.wrapped, $4
FROM unnest($2::text[], $3::bytea[]) AS k (purpose, wrapped)
ON CONFLICT DO NOTHING;

-- name: offer_installation_key
-- The first offer ever stands; later ones are dropped.
INSERT INTO keys.installation (purpose, wrapped, kek_fingerprint) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING;

-- name: installation_key
SELECT wrapped, kek_fingerprint FROM keys.installation WHERE purpose = $1;
