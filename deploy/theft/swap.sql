-- name: two
-- Two members of one account.
SELECT account_id, array_agg(member_id) AS members
FROM (SELECT account_id, member_id, row_number() OVER (PARTITION BY account_id ORDER BY member_id) AS n FROM member) AS m
WHERE n <= 2 GROUP BY account_id HAVING count(*) = 2
LIMIT 1;

-- name: swap_profiles
UPDATE member m SET sealed = o.sealed
FROM member o
WHERE m.member_id = ANY ($1::uuid[]) AND o.member_id = ANY ($1::uuid[]) AND m.member_id <> o.member_id;

-- name: swap_keys
UPDATE keys.member_key m SET wrapped = o.wrapped, ring_version = o.ring_version
FROM keys.member_key o
WHERE m.member_id = ANY ($1::uuid[]) AND o.member_id = ANY ($1::uuid[]) AND m.member_id <> o.member_id;
