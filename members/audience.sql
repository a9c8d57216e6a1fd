-- name: upper
SELECT member_id FROM member WHERE account_id = $1 ORDER BY member_id DESC LIMIT 1;

-- name: slice_end
-- The slice's last member is found first, by the same walk over the primary key that the COPY makes next, and what is
-- left out is counted by reason. $6: the topic that is written about, or null.
WITH slice AS MATERIALIZED (
    SELECT m.member_id, m.reason
    FROM app.reach($1, $6) m
    WHERE ($3::uuid IS NULL OR m.member_id > $3) AND ($4::uuid IS NULL OR m.member_id <= $4)
      AND ($2::text IS NULL OR m.facets @@ $2::text::jsonpath)
    ORDER BY m.member_id
    LIMIT $5
)
SELECT m.reason, count(*) AS total, (SELECT member_id FROM slice ORDER BY member_id DESC LIMIT 1) AS last
FROM slice m
GROUP BY 1;

-- name: slice
-- $6 attributes (null: nothing tells members apart), $7 segments as jsonpaths, $8 groups, for the key of a recipient's traits.
SELECT m.member_id, m.tag,
       CASE WHEN $6::text[] IS NOT NULL THEN app.traits(m.facets, $6, $7::text[]::jsonpath[], to_jsonb($8::text[])) END
FROM app.reach($1, $5) m
WHERE ($3::uuid IS NULL OR m.member_id > $3) AND m.member_id <= $4
  AND ($2::text IS NULL OR m.facets @@ $2::text::jsonpath)
  AND m.reason IS NULL
ORDER BY m.member_id;

-- name: less_often
-- By the partial index of those who ask: where nobody does it costs nothing.
SELECT member_id, least_days FROM member
WHERE account_id = $1 AND ($2::uuid IS NULL OR member_id > $2) AND member_id <= $3 AND least_days IS NOT NULL;

-- name: count
-- No order and no common table expression, so that Postgres may use all of its cores.
SELECT m.reason, count(*) AS total
FROM app.reach($1, $3) m
WHERE $2::text IS NULL OR m.facets @@ $2::text::jsonpath
GROUP BY 1;

-- name: samples
SELECT m.member_id
FROM app.reach($1, $4) m
WHERE ($2::text IS NULL OR m.facets @@ $2::text::jsonpath) AND m.reason IS NULL
ORDER BY m.member_id
LIMIT $3;

-- name: planned_as_asked
-- For this transaction: planned for any rule, a statement would read its jsonpath anew for every member, which took
-- five times as long, and Postgres goes over to that at the sixth use.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: in_parallel
-- For this transaction: someone waits for the answer. Else a statement has one core, as sending needs the others.
SELECT set_config('max_parallel_workers_per_gather', '2', true);

-- name: without_index
-- For this transaction: asked for no equality, the GIN index gives out every member, which the planner does not see
-- (a range over a million took twice as long with it). A range of members is walked by the primary key.
SELECT set_config('enable_bitmapscan', 'off', true);

-- name: segments
-- All of an account's: a few, and one may name another.
SELECT segment_id, rule FROM segment WHERE account_id = $1;

-- name: groups
SELECT group_id FROM member_group WHERE account_id = $1 ORDER BY group_id;

-- name: now
SELECT app.now();
