-- name: members
-- Walks both primary keys at once; the fields of fixed length first. $4: who of them can meet the rule at all.
SELECT m.member_id, k.ring_version, k.wrapped, m.sealed
FROM member m
JOIN keys.member_key k USING (account_id, member_id)
WHERE m.account_id = $1 AND ($2::uuid IS NULL OR m.member_id > $2) AND m.member_id <= $3
  AND ($4::text IS NULL OR m.facets @@ $4::text::jsonpath)
ORDER BY m.member_id;
