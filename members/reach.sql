-- name: at_address
SELECT member_id, tag, facets #>> '{open,locale}' AS locale, reason
FROM app.reach($1, NULL) WHERE member_id = ANY ($2::uuid[]);

-- name: at_new_address
SELECT r.member_id, n.tag, r.facets #>> '{open,locale}' AS locale, r.reason
FROM app.reach($1, NULL) r JOIN new_address n ON n.account_id = $1 AND n.member_id = r.member_id
WHERE r.member_id = ANY ($2::uuid[]);
