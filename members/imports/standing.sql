-- name: existing
-- $3: hashes of 32 bytes in a row, which costs a client nothing to send; as an array they are one walk over the index, that
-- touches each of its leaves once. LATERAL with OFFSET 0 holds the planner to probes for the few that are found.
SELECT a.hmac, a.member_id, m.import_id, m.revision, m.generation, m.sealed, m.facets, k.ring_version, k.wrapped, s.seen
FROM address_index a
CROSS JOIN LATERAL (SELECT * FROM member m
                    WHERE m.account_id = $1 AND m.member_id = a.member_id OFFSET 0) AS m
CROSS JOIN LATERAL (SELECT k.ring_version, k.wrapped FROM keys.member_key k
                    WHERE k.account_id = $1 AND k.member_id = a.member_id OFFSET 0) AS k
LEFT JOIN LATERAL (SELECT true AS seen FROM import_seen s
                   WHERE s.import_id = $4 AND s.member_id = a.member_id OFFSET 0) AS s ON true
WHERE a.account_id = $1 AND a.index_version = $2
  AND a.hmac = ANY (ARRAY(SELECT substr($3::bytea, 32 * n + 1, 32) FROM generate_series(0, length($3::bytea) / 32 - 1) AS n));

-- name: marked
-- A dry run makes no members to tell an address by: it remembers the first half of its keyed hash.
SELECT t.ord::integer - 1 AS ord
FROM unnest($2::uuid[]) WITH ORDINALITY AS t (mark, ord)
CROSS JOIN LATERAL (SELECT FROM import_seen s WHERE s.import_id = $1 AND s.member_id = t.mark OFFSET 0) AS s;
