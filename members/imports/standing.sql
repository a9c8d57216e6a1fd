-- name: existing
-- $3: hashes of 32 bytes in a row, which cost a client less to send than an array. In their order, so that a leaf of the
-- index is read once. LATERAL with OFFSET 0 holds the planner to index probes: left to itself it hashes the whole index for
-- each batch, and of a young table it compares each row with each hash.
SELECT t.hmac, a.member_id, m.import_id, m.revision, m.generation, m.sealed, m.facets, k.ring_version, k.wrapped, s.seen
FROM (SELECT substr($3::bytea, 32 * n + 1, 32) AS hmac
      FROM generate_series(0, length($3::bytea) / 32 - 1) AS n ORDER BY 1) AS t
CROSS JOIN LATERAL (SELECT a.member_id FROM address_index a
                    WHERE a.account_id = $1 AND a.index_version = $2 AND a.hmac = t.hmac OFFSET 0) AS a
CROSS JOIN LATERAL (SELECT * FROM member m
                    WHERE m.account_id = $1 AND m.member_id = a.member_id OFFSET 0) AS m
CROSS JOIN LATERAL (SELECT k.ring_version, k.wrapped FROM keys.member_key k
                    WHERE k.account_id = $1 AND k.member_id = a.member_id OFFSET 0) AS k
LEFT JOIN LATERAL (SELECT true AS seen FROM import_seen s
                   WHERE s.import_id = $4 AND s.member_id = a.member_id OFFSET 0) AS s ON true;

-- name: marked
-- A dry run makes no members to tell an address by: it remembers the first half of its keyed hash.
SELECT t.ord::integer - 1 AS ord
FROM unnest($2::uuid[]) WITH ORDINALITY AS t (mark, ord)
CROSS JOIN LATERAL (SELECT FROM import_seen s WHERE s.import_id = $1 AND s.member_id = t.mark OFFSET 0) AS s;
