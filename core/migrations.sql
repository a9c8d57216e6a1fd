-- name: lock
-- Held until the connection closes; the number is this service's own.
SELECT pg_advisory_lock(741001);

-- name: create_ledger
CREATE TABLE IF NOT EXISTS schema_migration (
    name       text PRIMARY KEY,
    digest     bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: applied
SELECT name, digest FROM schema_migration ORDER BY name;

-- name: record
INSERT INTO schema_migration (name, digest) VALUES ($1, $2);
