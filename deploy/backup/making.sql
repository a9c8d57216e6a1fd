-- name: export_snapshot
-- What pg_dump then reads: vault and keys, dumped one after the other, are of one moment.
SELECT pg_export_snapshot();

-- name: server_version
SELECT current_setting('server_version');

-- name: newest_migration
SELECT max(name) FROM schema_migration;

-- name: erased
-- Every erasure lands here first; with it the keys' set knows whom older rows must not bring back.
SELECT account_id, member_id, min(occurred_at) AS erased_at FROM stop WHERE reason = 'erased' GROUP BY account_id, member_id;
