-- name: begin
-- A run that was broken off, or that another worker makes too, is joined; where keys changed since, from where it is: who
-- lags is met in a later pass. $4: whoever is of an earlier generation lags. It may be long past, where only what nobody
-- has was changed since. No row: the run is over, and nobody lags.
INSERT INTO reseal AS r (account_id, goal, state, after, total)
VALUES ($1, $2, 'running', $3, (SELECT count(*) FROM member WHERE account_id = $1 AND generation < $4))
ON CONFLICT (account_id) DO UPDATE
SET goal = excluded.goal, state = 'running', finished_at = NULL,
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
-- Gives a worker the next members of the pass, alone: who asks meanwhile waits for as long as it takes to walk over them,
-- and goes on behind them. What a worker took and did not write still lags, and is met in the next pass.
WITH mine AS MATERIALIZED (
    SELECT after FROM reseal WHERE account_id = $1 AND goal = $2 AND pass = $3 AND state = 'running' FOR UPDATE
), part AS MATERIALIZED (
    SELECT p.member_id
    FROM mine
    CROSS JOIN LATERAL (SELECT m.member_id FROM member m
                        WHERE m.account_id = $1 AND m.member_id > mine.after AND m.generation < $4
                        ORDER BY m.member_id LIMIT $5) AS p
)
UPDATE reseal r SET after = last.member_id
FROM mine, (SELECT member_id FROM part ORDER BY member_id DESC LIMIT 1) AS last
WHERE r.account_id = $1
RETURNING mine.after AS after, r.after AS last;

-- name: batch
-- Walks the primary keys of both tables. LEFT JOIN: a member whose key is gone is unreadable, not overlooked.
SELECT m.member_id, m.revision, m.generation, m.sealed, CASE WHEN $5 THEN m.facets END AS facets,
       k.ring_version, k.wrapped
FROM member m
LEFT JOIN keys.member_key k ON k.account_id = m.account_id AND k.member_id = m.member_id
WHERE m.account_id = $1 AND m.member_id > $2 AND m.member_id <= $3 AND m.generation < $4
ORDER BY m.member_id;

-- name: plan_by_range
-- For `write`: its joins are of thousands of rows with thousands, in one range of the primary keys. A planner without
-- statistics, or with old ones, takes both for a handful and loops over all pairs.
SELECT set_config('enable_nestloop', 'off', true);

-- name: write
-- One statement over arrays. Rows are locked first, passing over those that others hold: so this never waits with rows
-- in its hands, and no writer is ever the victim of a deadlock with it. What was changed since it was read (or re-sealed
-- by another worker), or is held, is left, and met again in the next pass. The rows of a batch stand in one range of the primary key.
WITH u AS MATERIALIZED (
    SELECT * FROM unnest($7::uuid[], $8::integer[], $9::bytea[], $10::bytea[], $11::text[])
        AS t (member_id, revision, sealed, wrapped, facets)
), held AS MATERIALIZED (
    SELECT u.* FROM u JOIN member m USING (member_id)
    WHERE m.account_id = $1 AND m.member_id BETWEEN $2 AND $3
      AND m.revision = u.revision AND m.generation < $4
    FOR NO KEY UPDATE OF m SKIP LOCKED
), members AS (
    UPDATE member m SET sealed = h.sealed, facets = coalesce(h.facets::jsonb, m.facets), generation = $5
    FROM held h
    WHERE m.account_id = $1 AND m.member_id = h.member_id AND m.member_id BETWEEN $2 AND $3
), member_keys AS (
    UPDATE keys.member_key k SET ring_version = $6, wrapped = h.wrapped
    FROM held h
    WHERE k.account_id = $1 AND k.member_id = h.member_id AND k.member_id BETWEEN $2 AND $3
      AND k.ring_version <> $6
), addresses AS (
    INSERT INTO address_index (account_id, index_version, hmac, member_id)
    SELECT $1, t.index_version, t.hmac, t.member_id
    FROM unnest($12::uuid[], $13::integer[], $14::bytea[]) AS t (member_id, index_version, hmac)
    JOIN held h USING (member_id)
    ORDER BY t.index_version, t.hmac
    ON CONFLICT DO NOTHING
)
SELECT coalesce(array_agg(member_id), '{}') FROM held;

-- name: advance
-- Last in a batch's transaction, as other workers wait for this row. $5 the pass that the batch was of: who could not be
-- opened is met again in a later one. No row: keys changed.
UPDATE reseal SET done = done + $3, unreadable = unreadable + CASE WHEN pass = $5 THEN $4 ELSE 0 END
WHERE account_id = $1 AND goal = $2 AND state = 'running'
RETURNING true;

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
