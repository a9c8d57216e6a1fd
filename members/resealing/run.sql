-- name: begin_alone
-- Of workers that come at the same time one counts the members, and the others join its run.
SELECT pg_advisory_xact_lock(hashtextextended('reseal ' || $1::uuid::text, 0));

-- name: join
-- A run towards these keys that was broken off, or that another worker makes, goes on as it is: nobody is counted anew. $3: a
-- run of so many has bounds, but where a worker of an earlier version began it; without any, all would be taken at once.
SELECT pass FROM reseal
WHERE account_id = $1 AND goal = $2 AND state = 'running' AND (bounds <> '{}' OR total < $3);

-- name: begin
-- Where keys changed since a run began it goes on from where it is: who lags is met in a later pass. $4: whoever is of an
-- earlier generation lags. It may be long past, where only what nobody has was changed since. $5: each so-many-th of them
-- becomes a bound, in the order in which the table holds them: a walk in the order of ids costs three times as much, and what
-- stands in no order gives bounds as good as any. No row: the run is over, and nobody lags.
INSERT INTO reseal AS r (account_id, goal, state, after, total, bounds)
SELECT $1, $2, 'running', $3, count(*), coalesce(array_agg(member_id) FILTER (WHERE n % $5 = 0), '{}')
FROM (SELECT member_id, row_number() OVER () AS n FROM member WHERE account_id = $1 AND generation < $4) AS lagging
ON CONFLICT (account_id) DO UPDATE
SET goal = excluded.goal, state = 'running', finished_at = NULL, bounds = excluded.bounds,
    pass = CASE WHEN r.state = 'done' THEN 1 ELSE r.pass END,
    after = CASE WHEN r.state = 'done' THEN excluded.after ELSE r.after END,
    done = CASE WHEN r.state = 'done' THEN 0 ELSE r.done END,
    total = CASE WHEN r.state = 'done' THEN excluded.total ELSE r.done + excluded.total END,
    unreadable = CASE WHEN r.state = 'done' THEN 0 ELSE r.unreadable END,
    started_at = CASE WHEN r.state = 'done' THEN app.now() ELSE r.started_at END
WHERE r.state = 'running' OR r.goal <> excluded.goal OR excluded.total > 0
RETURNING pass;

-- name: protections_since
-- Of removed attributes too: their values must go, what stands in the open and what is sealed.
SELECT coalesce(max(resealing), 0) FROM attribute WHERE account_id = $1;

-- name: any_before
-- Whether profiles must be read at all: found at the first member that says so, or after a walk over all.
SELECT EXISTS (SELECT FROM member WHERE account_id = $1 AND generation < $2);

-- name: take
-- Gives a worker the next members of the pass, alone: up to as many bounds on as $5 says, but a third of what is left, so
-- that workers end together, and no less than $6, which is what stripes take. Behind the last bound stands the greatest id,
-- $4. What a worker took and did not write still lags, and is met in the next pass.
WITH mine AS MATERIALIZED (
    SELECT after, bounds FROM reseal
    WHERE account_id = $1 AND goal = $2 AND pass = $3 AND state = 'running' AND after < $4
    FOR UPDATE
), ahead AS MATERIALIZED (
    SELECT b.bound, row_number() OVER (ORDER BY b.bound) AS n, count(*) OVER () + 1 AS parts
    FROM mine CROSS JOIN LATERAL unnest(mine.bounds) AS b (bound)
    WHERE b.bound > mine.after
)
UPDATE reseal r
SET after = coalesce((SELECT bound FROM ahead WHERE n = least($5, greatest($6, parts / 3)) AND parts >= 2 * $6), $4)
FROM mine
WHERE r.account_id = $1
RETURNING mine.after AS after, r.after AS last;

-- name: plan_in_order
-- For `lagging_rows`: both tables are walked in the order of their primary keys, side by side. Left alone, the planner
-- sorts a range on disk first; without statistics, or with old ones, it takes thousands of rows for a handful, and loops
-- over all pairs. So it would for the origins of consents.
SELECT set_config('enable_nestloop', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'on', true), set_config('enable_sort', 'off', true);

-- name: lagging_rows
-- For COPY. Walks the primary keys of both tables side by side: the keys' bounds are said too, since none follow from
-- the members'. LEFT JOIN: a member whose key is gone is unreadable, not overlooked. What is passed on comes first.
SELECT m.member_id, m.revision, coalesce(k.ctid, '(0,0)'), m.generation, coalesce(k.ring_version, 0),
       coalesce(k.wrapped, ''), m.sealed, CASE WHEN $5 THEN m.facets END
FROM member m
LEFT JOIN keys.member_key k
    ON k.account_id = $1 AND k.member_id = m.member_id AND k.member_id > $2 AND k.member_id <= $3
WHERE m.account_id = $1 AND m.member_id > $2 AND m.member_id <= $3 AND m.generation < $4
ORDER BY m.member_id;

-- name: make
-- One a connection, kept: what a batch becomes, empty again when its transaction ends, however it ends.
CREATE TEMPORARY TABLE IF NOT EXISTS renewed
    (member_id uuid NOT NULL, revision integer NOT NULL, key_place tid NOT NULL,
     sealed bytea, wrapped bytea, facets jsonb, hmacs bytea[])
    ON COMMIT DELETE ROWS;

-- name: plan_by_place
-- For `write`, whose rows are found one by one: by the primary key, or where they stand. A planner that knows nothing of
-- the temporary table would read a whole table instead, and makes a bitmap for each row.
SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
       set_config('enable_bitmapscan', 'off', true);

-- name: write
-- Rows are locked first, passing over those that others hold: so this never waits with rows in its hands, and no writer
-- is ever the victim of a deadlock with it. What was changed since it was read (or re-sealed by another worker), or is
-- held, is left, and met again in the next pass. A member is found by the primary key, which also frees the space of its
-- page's dead rows, and updated where it stands; its key is looked for where it stood, and whoever holds the member's
-- row is alone with it. IS NOT DISTINCT FROM: or else the planner would walk the index all the same.
-- Returns how many were written; whether all keys were where they had been read; and whose origins of consents are
-- still sealed by an old one.
WITH held AS (
    SELECT r.*, m.place
    FROM renewed r
    CROSS JOIN LATERAL (
        SELECT m.ctid AS place FROM member m
        WHERE m.account_id = $1 AND m.member_id = r.member_id AND m.revision = r.revision AND m.generation < $2
        FOR NO KEY UPDATE SKIP LOCKED) m
), members AS (
    UPDATE member m
    SET sealed = coalesce(h.sealed, m.sealed), facets = coalesce(h.facets, m.facets), generation = $3
    FROM held h WHERE m.ctid = h.place
    RETURNING h.member_id, h.key_place, h.wrapped, h.hmacs
), member_keys AS (
    UPDATE keys.member_key k SET ring_version = $4, wrapped = h.wrapped
    FROM members h
    WHERE k.ctid = h.key_place AND k.member_id IS NOT DISTINCT FROM h.member_id AND h.wrapped IS NOT NULL
    RETURNING 1
), addresses AS (
    INSERT INTO address_index (account_id, index_version, hmac, member_id)
    SELECT $1, a.version, a.hmac, h.member_id
    FROM members h CROSS JOIN LATERAL unnest($5::integer[], h.hmacs) AS a (version, hmac)
    WHERE h.hmacs IS NOT NULL
    ORDER BY a.version, a.hmac
    ON CONFLICT DO NOTHING
)
SELECT (SELECT count(*) FROM members) AS written,
       (SELECT count(*) FROM member_keys) = (SELECT count(wrapped) FROM members) AS rekeyed,
       ARRAY(SELECT h.member_id FROM members h
             WHERE h.wrapped IS NOT NULL
               AND EXISTS (SELECT FROM consent_evidence e WHERE e.account_id = $1 AND e.member_id = h.member_id))
           AS witnessed;

-- name: advance
-- Last in a batch's transaction, as other workers wait for this row. $5 the pass that the batch was of: who could not be
-- opened is met again in a later one. No row: keys changed.
UPDATE reseal SET done = done + $3, unreadable = unreadable + CASE WHEN pass = $5 THEN $4 ELSE 0 END
WHERE account_id = $1 AND goal = $2 AND state = 'running'
RETURNING true;

-- name: unmet
-- How many were counted and have not been written since, nor found unreadable; null once another worker closed the run.
SELECT CASE WHEN state = 'running' THEN greatest(total - done - unreadable, 0) END FROM reseal WHERE account_id = $1;

-- name: lagging
SELECT count(*) FROM member WHERE account_id = $1 AND generation < $2;

-- name: finish
-- Only if nobody lags but those who could not be opened in this pass, or if another worker has found so.
UPDATE reseal SET state = 'done', finished_at = coalesce(finished_at, app.now()), total = done + unreadable
WHERE account_id = $1 AND goal = $2 AND (state = 'done' OR pass = $3 AND unreadable >= $4)
RETURNING unreadable;

-- name: next_pass
-- Of several workers that find somebody left one begins the pass, and all make it.
UPDATE reseal SET pass = pass + 1, after = $4, unreadable = 0
WHERE account_id = $1 AND goal = $2 AND pass = $3 AND state = 'running';

-- name: trust_protections
UPDATE attribute SET resealing = NULL WHERE account_id = $1 AND resealing <= $2 AND removed_at IS NULL;

-- name: forget_removed
-- Nobody has a value of them any more: their names are free again, for any type.
DELETE FROM attribute WHERE account_id = $1 AND resealing <= $2 AND removed_at IS NOT NULL;
