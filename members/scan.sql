-- name: page
-- Walks both primary keys at once from the last page's end on. $4: who of them can meet the rule at all.
SELECT m.member_id, m.sealed, k.ring_version, k.wrapped
FROM member m
JOIN keys.member_key k USING (account_id, member_id)
WHERE m.account_id = $1 AND ($2::uuid IS NULL OR m.member_id > $2) AND m.member_id <= $3
  AND ($4::text IS NULL OR m.facets @@ $4::text::jsonpath)
ORDER BY m.member_id
LIMIT $5;
