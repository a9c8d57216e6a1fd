-- name: look
-- $1 owner, $2 pool; arrays by position: $3 source, $4 site. All that a decision needs, in one snapshot, one row a pair.
-- Permits count while their owner's lease is alive: nobody has to take back a dead worker's. Three look-ups by equality
-- and not one with OR, so that any number of other sites' restrictions costs nothing. OFFSET 0 holds the planner to the
-- primary key of `pace`.
WITH n AS MATERIALIZED (SELECT app.now() AS now),
     live AS MATERIALIZED (
         SELECT owner, pool FROM worker WHERE reaped_at IS NULL AND alive_until > (SELECT now FROM n)),
     asked AS (
         SELECT * FROM unnest($3::smallint[], $4::int[]) WITH ORDINALITY AS a (source_id, site_id, position))
SELECT a.source_id, a.site_id,
       (SELECT extract(epoch FROM now)::float FROM n) AS now,
       EXISTS (SELECT FROM live WHERE owner = $1) AS alive,
       p.source_id IS NOT NULL AS made, p.slots, p.rate, extract(epoch FROM p.phase_at)::float AS phase_at,
       p.allowed, p.credit, p.failures, p.dead_times, extract(epoch FROM p.urgent_at)::float AS urgent_at,
       p.connections, p.limit_rate, extract(epoch FROM p.limits_at)::float AS limits_at,
       h.mine, h.others, h.apart, c.peers, c.peers_want, c.peers_have, c.wanted,
       r.connections AS restricted_to, r.rate AS restricted_rate,
       extract(epoch FROM r.suspended_until - (SELECT now FROM n))::float AS suspended_for, r.reason
FROM asked a
LEFT JOIN LATERAL (
    SELECT * FROM pace WHERE pace.source_id = a.source_id AND pace.site_id = a.site_id OFFSET 0) p ON true
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(slot) FILTER (WHERE owner = $1), '{}') AS mine,
           coalesce(array_agg(slot) FILTER (WHERE owner <> $1), '{}') AS others,
           count(*) FILTER (WHERE pool <> $2) AS apart
    FROM permit JOIN live USING (owner)
    WHERE source_id = a.source_id AND site_id = a.site_id) h
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(owner) FILTER (WHERE owner <> $1), '{}') AS peers,
           coalesce(array_agg(connections) FILTER (WHERE owner <> $1), '{}') AS peers_want,
           coalesce(array_agg(held) FILTER (WHERE owner <> $1), '{}') AS peers_have,
           coalesce(max(connections) FILTER (WHERE owner = $1), 0) AS wanted
    FROM (SELECT owner, connections,
                 (SELECT count(*) FROM permit WHERE source_id = a.source_id AND site_id = a.site_id
                                                AND permit.owner = want.owner)::int AS held
          FROM want JOIN live USING (owner)
          WHERE source_id = a.source_id AND site_id = a.site_id AND pool = $2) w) c
CROSS JOIN LATERAL (
    SELECT min(connections) AS connections, min(rate) AS rate,
           max(ends_at) FILTER (WHERE connections = 0) AS suspended_until,
           (array_agg(reason ORDER BY connections = 0 DESC NULLS LAST, ends_at DESC))[1] AS reason
    FROM (SELECT * FROM restriction WHERE source_id = a.source_id AND site_id = a.site_id
                                      AND ends_at > (SELECT now FROM n) AND lifted_at IS NULL
          UNION ALL
          SELECT * FROM restriction WHERE source_id = a.source_id AND site_id IS NULL
                                      AND ends_at > (SELECT now FROM n) AND lifted_at IS NULL
          UNION ALL
          SELECT * FROM restriction WHERE source_id IS NULL AND site_id = a.site_id
                                      AND ends_at > (SELECT now FROM n) AND lifted_at IS NULL) i
    WHERE starts_at <= (SELECT now FROM n)) r
ORDER BY a.position;

-- name: make
-- Arrays by position: $1 source, $2 site, $3 connections, $4 allowed. The rows that are missing, so that there is
-- something to lock; without slots, as after a suspension. In the order of the key, as all that lock several.
INSERT INTO pace (source_id, site_id, slots, phase_at, allowed, connections, limits_at)
SELECT source_id, site_id, 0, app.now(), allowed, connections, app.now() - interval '1 day'
FROM unnest($1::smallint[], $2::int[], $3::smallint[], $4::float[]) AS a (source_id, site_id, connections, allowed)
ORDER BY source_id, site_id
ON CONFLICT DO NOTHING;

-- name: lock
-- Arrays by position: $1 source, $2 site. One after another in the order of the key, so that no two asks wait for each
-- other.
SELECT FROM (SELECT * FROM unnest($1::smallint[], $2::int[]) AS u (source_id, site_id) ORDER BY 1, 2) a
CROSS JOIN LATERAL (
    SELECT FROM pace WHERE pace.source_id = a.source_id AND pace.site_id = a.site_id FOR NO KEY UPDATE) p;

-- name: write_pace
-- Arrays by position, times in seconds since 1970.
UPDATE pace SET slots = w.slots, rate = w.rate, phase_at = to_timestamp(w.phase_at), allowed = w.allowed,
       credit = w.credit, failures = w.failures, dead_times = w.dead_times, urgent_at = to_timestamp(w.urgent_at),
       connections = w.connections, limit_rate = w.limit_rate, limits_at = to_timestamp(w.limits_at)
FROM unnest($1::smallint[], $2::int[], $3::smallint[], $4::float[], $5::float[], $6::float[], $7::float[], $8::float[],
            $9::smallint[], $10::float[], $11::smallint[], $12::float[], $13::float[])
    AS w (source_id, site_id, slots, rate, phase_at, allowed, credit, failures, dead_times, urgent_at, connections,
          limit_rate, limits_at)
WHERE pace.source_id = w.source_id AND pace.site_id = w.site_id;

-- name: want
-- $1 owner; arrays by position: $2 source, $3 site, $4 connections. None is no row.
WITH asked AS MATERIALIZED (
         SELECT * FROM unnest($2::smallint[], $3::int[], $4::smallint[]) AS a (source_id, site_id, connections)),
     none AS (
         DELETE FROM want USING asked a
         WHERE want.owner = $1 AND want.source_id = a.source_id AND want.site_id = a.site_id AND a.connections = 0)
INSERT INTO want (source_id, site_id, owner, connections)
SELECT source_id, site_id, $1, connections FROM asked WHERE connections > 0
ON CONFLICT (source_id, site_id, owner) DO UPDATE SET connections = excluded.connections;

-- name: drop
-- $1 owner; arrays by position: $2 source, $3 site, $4 slot.
DELETE FROM permit USING unnest($2::smallint[], $3::int[], $4::smallint[]) AS d (source_id, site_id, slot)
WHERE permit.owner = $1 AND permit.source_id = d.source_id AND permit.site_id = d.site_id AND permit.slot = d.slot;

-- name: take
-- $1 owner; arrays by position: $2 source, $3 site, $4 slot. What stands in the way is a dead worker's.
INSERT INTO permit (source_id, site_id, slot, owner)
SELECT source_id, site_id, slot, $1 FROM unnest($2::smallint[], $3::int[], $4::smallint[]) AS t (source_id, site_id, slot)
ON CONFLICT (source_id, site_id, slot) DO UPDATE SET owner = excluded.owner;

-- name: bury
-- Arrays by position: $1 source, $2 site, $3 seconds; $4 reason.
INSERT INTO restriction (source_id, site_id, connections, ends_at, reason, imposed_by)
SELECT source_id, site_id, 0, app.now() + make_interval(secs => seconds), $4, 'unreachable'
FROM unnest($1::smallint[], $2::int[], $3::float[]) AS b (source_id, site_id, seconds);

-- name: give_up
-- $1 owner; arrays by position: $2 source, $3 site; null: all. What another is just taking from us is gone already.
WITH wants AS (
         DELETE FROM want
         WHERE owner = $1 AND ($2::smallint[] IS NULL
                               OR (source_id, site_id) IN (SELECT * FROM unnest($2::smallint[], $3::int[]))))
DELETE FROM permit USING (
    SELECT source_id, site_id, slot FROM permit
    WHERE owner = $1 AND ($2::smallint[] IS NULL
                          OR (source_id, site_id) IN (SELECT * FROM unnest($2::smallint[], $3::int[])))
    FOR UPDATE SKIP LOCKED) AS mine
WHERE permit.source_id = mine.source_id AND permit.site_id = mine.site_id AND permit.slot = mine.slot
  AND permit.owner = $1;

-- name: forget_dead
-- Rows of workers that were killed count for nothing; they are only in the way of tables that stay small.
WITH dead AS MATERIALIZED (
         SELECT owner FROM worker WHERE reaped_at < app.now() - interval '1 hour'
                                    AND (EXISTS (SELECT FROM permit WHERE permit.owner = worker.owner)
                                         OR EXISTS (SELECT FROM want WHERE want.owner = worker.owner))
         LIMIT 100),
     wants AS (DELETE FROM want USING dead WHERE want.owner = dead.owner)
DELETE FROM permit USING (
    SELECT source_id, site_id, slot, owner FROM permit WHERE owner IN (SELECT owner FROM dead)
    FOR UPDATE SKIP LOCKED) AS theirs
WHERE permit.source_id = theirs.source_id AND permit.site_id = theirs.site_id AND permit.slot = theirs.slot
  AND permit.owner = theirs.owner;
