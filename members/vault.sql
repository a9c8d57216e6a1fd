-- name: open_members
-- A worker's hot path: a thousand members by their ids in one read.
SELECT m.member_id, m.sealed, k.ring_version, k.wrapped, m.tracking
FROM member m
JOIN keys.member_key k USING (account_id, member_id)
WHERE m.account_id = $1 AND m.member_id = ANY ($2::uuid[]);

-- name: still_there
SELECT member_id FROM member WHERE account_id = $1 AND member_id = ANY ($2::uuid[]);

-- name: find
SELECT a.member_id
FROM unnest($2::integer[], $3::bytea[]) AS t (index_version, hmac)
JOIN address_index a ON a.account_id = $1 AND a.index_version = t.index_version AND a.hmac = t.hmac
LIMIT 1;
