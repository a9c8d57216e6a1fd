-- name: accounts
-- Whoever is named anywhere, ring or not: rows of an account without one are found too.
SELECT account_id FROM keys.ring UNION SELECT account_id FROM member
UNION SELECT account_id FROM keys.member_key UNION SELECT account_id FROM address_index
ORDER BY 1;

-- name: total
SELECT count(*) FROM member;

-- name: page
-- A page by keyset, whole in one snapshot: a member that is changed meanwhile is seen before or after, never in between.
SELECT m.member_id, m.sealed, m.facets, m.tag, m.suppression_hash, m.generation, k.ring_version, k.wrapped, a.versions, a.digests
FROM (SELECT * FROM member WHERE account_id = $1 AND ($2::uuid IS NULL OR member_id > $2)
      ORDER BY member_id LIMIT $3) AS m
LEFT JOIN keys.member_key k USING (account_id, member_id)
LEFT JOIN LATERAL (SELECT array_agg(i.index_version) AS versions, array_agg(i.hmac) AS digests
                   FROM address_index i
                   WHERE i.account_id = m.account_id AND i.member_id = m.member_id) AS a ON true
ORDER BY m.member_id;

-- name: again
-- One member once more, as `page` has it.
SELECT m.member_id, m.sealed, m.facets, m.tag, m.suppression_hash, m.generation, k.ring_version, k.wrapped, a.versions, a.digests
FROM member m
LEFT JOIN keys.member_key k USING (account_id, member_id)
LEFT JOIN LATERAL (SELECT array_agg(i.index_version) AS versions, array_agg(i.hmac) AS digests
                   FROM address_index i
                   WHERE i.account_id = m.account_id AND i.member_id = m.member_id) AS a ON true
WHERE m.account_id = $1 AND m.member_id = $2;

-- name: removed
SELECT key FROM attribute WHERE account_id = $1 AND removed_at IS NOT NULL;

-- name: keys_of_nobody
SELECT k.member_id FROM keys.member_key k
WHERE k.account_id = $1
  AND NOT EXISTS (SELECT FROM member m WHERE m.account_id = k.account_id AND m.member_id = k.member_id);

-- name: index_of_nobody
SELECT DISTINCT i.member_id FROM address_index i
WHERE i.account_id = $1
  AND NOT EXISTS (SELECT FROM member m WHERE m.account_id = i.account_id AND m.member_id = i.member_id);

-- name: addresses_twice
-- The suppression key is never retired: equal hashes are equal addresses, whatever the index says.
SELECT m.member_id FROM member m
JOIN (SELECT suppression_hash FROM member WHERE account_id = $1 GROUP BY 1 HAVING count(*) > 1) AS twice
    USING (suppression_hash)
WHERE m.account_id = $1;

-- name: without_time_limit
SET LOCAL statement_timeout = 0;
