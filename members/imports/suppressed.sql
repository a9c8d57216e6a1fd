-- name: by_address
-- For all mail, by the account or by the operator. $2: hashes of 32 bytes in a row; probed as in standing.sql, and not at all
-- while the account's list is empty, as it is where a first file comes in.
SELECT t.hash
FROM (SELECT substr($2::bytea, 32 * n + 1, 32) AS hash
      FROM generate_series(0, length($2::bytea) / 32 - 1) AS n ORDER BY 1) AS t
CROSS JOIN LATERAL (SELECT FROM suppression s
                    WHERE s.account_id = $1 AND s.hash = t.hash AND s.scope IN ('all', 'global')
                    LIMIT 1 OFFSET 0) AS s
WHERE EXISTS (SELECT FROM suppression WHERE account_id = $1);

-- name: by_domain
SELECT hash FROM suppression WHERE account_id = $1 AND hash = ANY ($2::bytea[]) AND scope = 'all';
