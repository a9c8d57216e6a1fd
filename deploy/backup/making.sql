-- name: export_snapshot
-- What pg_dump then reads: vault and keys, dumped one after the other, are of one moment.
SELECT pg_export_snapshot();

-- name: server_version
SELECT current_setting('server_version');

-- name: newest_migration
SELECT max(name) FROM schema_migration;

-- name: erased
SELECT account_id, member_id, erased_at FROM erased ORDER BY erased_at;
