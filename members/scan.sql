-- name: plan_in_order
-- For `members`: both tables are walked in the order of their primary keys, side by side, so that the first rows come at
-- once and are opened while the next are read. Left alone, the planner sorts a range on disk first, three times the work;
-- without statistics it takes thousands of rows for a handful, and may loop over all pairs.
SELECT set_config('enable_nestloop', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_sort', 'off', true);

-- name: members
-- For COPY. Both tables are bounded by the range, since no bound of the keys follows from the members': without it all
-- keys were read for each range. The fields of fixed length first. $4: who of them can meet the rule at all.
SELECT m.member_id, k.ring_version, k.wrapped, m.sealed
FROM member m
JOIN keys.member_key k
    ON k.account_id = $1 AND k.member_id = m.member_id
   AND ($2::uuid IS NULL OR k.member_id > $2) AND k.member_id <= $3
WHERE m.account_id = $1 AND ($2::uuid IS NULL OR m.member_id > $2) AND m.member_id <= $3
  AND ($4::text IS NULL OR m.facets @@ $4::text::jsonpath)
ORDER BY m.member_id;

-- name: plan_freely
SELECT set_config('enable_nestloop', 'on', true), set_config('enable_hashjoin', 'on', true),
       set_config('enable_sort', 'on', true);
