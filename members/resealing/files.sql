-- name: keys
SELECT 'import' AS kind, import_id AS file_id, ring_version, wrapped FROM import
WHERE account_id = $1 AND ring_version <> $2
UNION ALL
SELECT 'export', export_id, ring_version, wrapped FROM export
WHERE account_id = $1 AND ring_version <> $2;

-- name: rewrap_import
UPDATE import SET ring_version = $3, wrapped = $4 WHERE import_id = $1 AND ring_version = $2;

-- name: rewrap_export
UPDATE export SET ring_version = $3, wrapped = $4 WHERE export_id = $1 AND ring_version = $2;
