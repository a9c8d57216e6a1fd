-- name: extend
-- $1 source, $2 site, $3 connections, $4 rate, $5 seconds, $6 reason, $7 who. The same once more: it lasts as long as
-- either says.
UPDATE restriction SET ends_at = greatest(ends_at, app.now() + make_interval(secs => $5)), reason = $6
WHERE lifted_at IS NULL AND ends_at > app.now()
  AND source_id IS NOT DISTINCT FROM $1::smallint AND site_id IS NOT DISTINCT FROM $2::int
  AND connections IS NOT DISTINCT FROM $3::smallint AND rate IS NOT DISTINCT FROM $4::float AND imposed_by = $7
RETURNING restriction_id;

-- name: supersede
-- $1 source, $2 site. An operator's word stands in the place of all that holds for the very same.
UPDATE restriction SET lifted_at = app.now()
WHERE restriction_id IN (
    SELECT restriction_id FROM restriction
    WHERE lifted_at IS NULL AND ends_at > app.now()
      AND source_id IS NOT DISTINCT FROM $1::smallint AND site_id IS NOT DISTINCT FROM $2::int
    ORDER BY restriction_id FOR UPDATE);

-- name: impose
INSERT INTO restriction (source_id, site_id, connections, rate, ends_at, reason, imposed_by)
VALUES ($1, $2, $3, $4, app.now() + make_interval(secs => $5), $6, $7);

-- name: suspend
-- $1 source, $2 site; null: any. So that mail begins anew when the suspension ends, though nobody asked in between. The
-- rows are locked in the order of the key, as in every ask.
UPDATE pace SET slots = 0
FROM (SELECT source_id, site_id FROM pace
      WHERE ($1::smallint IS NULL OR source_id = $1) AND ($2::int IS NULL OR site_id = $2) AND slots > 0
      ORDER BY source_id, site_id FOR NO KEY UPDATE) AS p
WHERE pace.source_id = p.source_id AND pace.site_id = p.site_id;

-- name: lift
-- $1 source, $2 site; null: any.
UPDATE restriction SET lifted_at = app.now()
WHERE restriction_id IN (
    SELECT restriction_id FROM restriction
    WHERE lifted_at IS NULL AND ends_at > app.now()
      AND ($1::smallint IS NULL OR source_id = $1) AND ($2::int IS NULL OR site_id = $2)
    ORDER BY restriction_id FOR UPDATE)
RETURNING restriction_id;

-- name: lock_source
-- Hits of a source are counted one after another, or two workers might both miss the one that makes it enough.
SELECT FROM source WHERE source_id = $1 FOR NO KEY UPDATE;

-- name: count_hit
INSERT INTO rule_hit AS h (rule, source_id, site_id, minute, hits)
VALUES ($1, $2, $3, date_trunc('minute', app.now()), 1)
ON CONFLICT (rule, source_id, site_id, minute) DO UPDATE SET hits = h.hits + 1;

-- name: hits
SELECT coalesce(sum(hits), 0)::int FROM rule_hit
WHERE rule = $1 AND source_id = $2 AND site_id = $3 AND minute > app.now() - interval '1 hour';

-- name: forget_hits
-- $4 whether all, or only those that are too old to count.
DELETE FROM rule_hit
WHERE rule = $1 AND source_id = $2 AND site_id = $3 AND ($4 OR minute <= app.now() - interval '1 hour');

-- name: forget
-- $1 seconds. What ended long ago.
DELETE FROM restriction WHERE least(ends_at, lifted_at) < app.now() - make_interval(secs => $1);
