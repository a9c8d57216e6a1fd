-- Utility statements take no parameters: each statement here writes one, quoted by the server itself, and the module
-- runs what it gets. No row: nothing to do.

-- name: create_role
SELECT format('CREATE ROLE %I', $1::text) WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $1::text);

-- name: allow_login
SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text) || CASE WHEN $3::boolean THEN ' BYPASSRLS' ELSE '' END;

-- name: create_database
SELECT format('CREATE DATABASE %I OWNER %I', $1::text, $2::text)
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = $1::text);

-- name: close_to_public
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $1::text);

-- name: admit
-- A database's grants are its own: a clone starts without them.
SELECT format('GRANT CONNECT%s ON DATABASE %I TO %I', CASE WHEN $3::boolean THEN ', TEMPORARY' ELSE '' END, $1::text, $2::text);
