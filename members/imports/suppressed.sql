-- name: by_address
-- For all mail, by the account or by the operator.
SELECT t.ord::integer - 1 AS ord
FROM unnest($2::bytea[]) WITH ORDINALITY AS t (hash, ord)
CROSS JOIN LATERAL (SELECT FROM suppression s
                    WHERE s.account_id = $1 AND s.hash = t.hash AND s.scope IN ('all', 'global')
                    LIMIT 1 OFFSET 0) AS s;

-- name: by_domain
SELECT hash FROM suppression WHERE account_id = $1 AND hash = ANY ($2::bytea[]) AND scope = 'all';
