-- name: by_address
-- For all mail, by the account or by the operator. $2: hashes of 32 bytes in a row, as in merge.sql.
SELECT s.hash FROM suppression s
WHERE s.account_id = $1 AND s.scope IN ('all', 'global')
  AND s.hash = ANY (ARRAY(SELECT substr($2::bytea, 32 * n + 1, 32) FROM generate_series(0, length($2::bytea) / 32 - 1) AS n));

-- name: by_domain
SELECT hash FROM suppression WHERE account_id = $1 AND hash = ANY ($2::bytea[]) AND scope = 'all';
