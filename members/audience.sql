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

-- name: suppressed_by
-- Which kinds of entries there are for this mail: mostly none but those of addresses for all of it. The first is said of
-- any entry at all, as the others have an index and it needs none.
SELECT EXISTS (SELECT FROM suppression WHERE account_id = $1) AS own,
       EXISTS (SELECT FROM suppression WHERE account_id = $1 AND scope = 'global') AS operator,
       EXISTS (SELECT FROM suppression WHERE account_id = $1 AND scope = 'topic:' || $2::uuid::text) AS topical,
       EXISTS (SELECT FROM suppression WHERE account_id = $1 AND scope = 'all' AND length(hash) = 8) AS domain;

-- name: count
-- What app.reach says, asked of everybody at once: joined instead of looked up, so that all cores can do it. Over a million
-- of whom a fifth was suppressed, a look-up a member took twenty times as long. Each join is by the whole of a primary key;
-- entries go before each other as in app.reach. $4 to $7: which kinds there are; a join of which nothing is asked is left out
-- of the plan. Grouped by columns with few values, not by the reason: else the planner fears a group a member, and counts on
-- one core.
SELECT coalesce(n.own, n.operator, n.topical, n.domain, n.domain_topical, CASE WHEN n.stands THEN n.status END) AS reason,
       sum(n.total)::bigint AS total
FROM (
    SELECT CASE WHEN $4 THEN own.reason END AS own, CASE WHEN $5 THEN operator.reason END AS operator,
           CASE WHEN $6 THEN topical.reason END AS topical, CASE WHEN $7 THEN domain.reason END AS domain,
           CASE WHEN $6 THEN domain_topical.reason END AS domain_topical, m.status, m.standing IS NOT NULL AS stands,
           count(*) AS total
    FROM app.standing($1) m
    LEFT JOIN suppression own ON own.account_id = $1 AND own.hash = m.suppression_hash AND own.scope = 'all'
    LEFT JOIN suppression operator
        ON operator.account_id = $1 AND operator.hash = m.suppression_hash AND operator.scope = 'global'
    LEFT JOIN suppression topical
        ON topical.account_id = $1 AND topical.hash = m.suppression_hash AND topical.scope = 'topic:' || coalesce($3::uuid::text, '')
    LEFT JOIN suppression domain
        ON domain.account_id = $1 AND domain.hash = int8send(m.tag) AND domain.scope = 'all' AND length(domain.hash) = 8
    LEFT JOIN suppression domain_topical
        ON domain_topical.account_id = $1 AND domain_topical.hash = int8send(m.tag)
           AND domain_topical.scope = 'topic:' || coalesce($3::uuid::text, '')
    WHERE $2::text IS NULL OR m.facets @@ $2::text::jsonpath
    GROUP BY 1, 2, 3, 4, 5, m.status, stands
) n
GROUP BY 1;

-- name: samples
-- Of the account's first $5 members alone: a rule that few meet would have all others asked one by one, on one core.
SELECT m.member_id
FROM app.reach($1, $4) m
WHERE ($2::text IS NULL OR m.facets @@ $2::text::jsonpath) AND m.reason IS NULL
  AND m.member_id <= coalesce((SELECT member_id FROM member WHERE account_id = $1 ORDER BY member_id OFFSET $5 LIMIT 1),
                              'ffffffff-ffff-ffff-ffff-ffffffffffff')
ORDER BY m.member_id
LIMIT $3;

-- name: sparse_samples
-- The same of everybody: who meets the rule is found first, on all cores, then looked up in order until there are enough.
WITH met AS MATERIALIZED (
    SELECT member_id FROM member
    WHERE account_id = $1 AND ($2::text IS NULL OR facets @@ $2::text::jsonpath)
)
SELECT m.member_id
FROM (SELECT member_id FROM met ORDER BY member_id) AS met JOIN app.reach($1, $4) m USING (member_id)
WHERE m.reason IS NULL
ORDER BY m.member_id
LIMIT $3;

-- name: planned_as_asked
-- For this transaction: planned for any rule, a statement would read its jsonpath anew for every member, which took
-- five times as long, and Postgres goes over to that at the sixth use.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: in_parallel
-- For this transaction: someone waits for the answer. Else a statement has one core, as sending needs the others. The costs:
-- Postgres takes the reasons for thousands, and would hand every member from core to core to count them on one. The memory: a
-- suppression list of a million is hashed at once, by all cores together.
SELECT set_config('max_parallel_workers_per_gather', '2', true), set_config('parallel_tuple_cost', '0', true),
       set_config('parallel_setup_cost', '0', true), set_config('work_mem', '16MB', true);

-- name: looked_up
-- For this transaction: the planner expects all members to be asked about, where the first few are, and would hash the
-- whole suppression list twice before the first of them, a tenth of a second for 200,000 entries.
SELECT set_config('work_mem', '64kB', true);

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
