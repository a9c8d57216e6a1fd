-- name: page
-- Walks both primary keys from the cursor on; no more columns than opening takes.
SELECT m.member_id, m.sealed, k.ring_version, k.wrapped
FROM member m
JOIN keys.member_key k USING (account_id, member_id)
WHERE m.account_id = $1 AND ($2::uuid IS NULL OR m.member_id > $2)
ORDER BY m.member_id
LIMIT $3;
