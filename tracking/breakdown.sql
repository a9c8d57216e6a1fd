-- name: progress
-- Locked for the transaction that goes on from there; whoever finds it locked leaves it to the other.
SELECT position FROM breakdown_progress FOR UPDATE SKIP LOCKED;

-- name: break_down
-- $1, $2: events of the places after the one and up to the other, once nothing can appear between. The first of its kind by a
-- recipient, in the order of places, is what counts people; what is older than the feed has no place and came before. By trait
-- people and machines are counted when their events are settled, as in a campaign's own figures.
-- Look-ups stay LATERAL with OFFSET 0, so that each goes by index into the one partition of its run.
WITH taken AS MATERIALIZED (
         SELECT run_id, seq, kind, label, detail, occurred_at, position FROM event WHERE position > $1 AND position <= $2),
     placed AS MATERIALIZED (
         SELECT t.run_id, t.seq, t.kind, t.label, t.detail, app.minute_of(t.occurred_at) AS minute, coalesce(s.site_id, 0) AS site,
                f.run_id IS NULL AND t.seq > 0 AS is_first
         FROM taken t
         LEFT JOIN LATERAL (SELECT d.site_id FROM recipient r JOIN destination d USING (tag)
                            WHERE r.run_id = t.run_id AND r.seq = t.seq OFFSET 0) s ON true
         LEFT JOIN LATERAL (SELECT run_id FROM event p
                            WHERE p.run_id = t.run_id AND p.seq = t.seq AND p.kind = t.kind AND p.detail = t.detail
                              AND (p.position < t.position OR p.position IS NULL) LIMIT 1) f ON true)
INSERT INTO breakdown_delta (run_id, dimension, value, kind, detail, total, people)
SELECT run_id, CASE WHEN grouping(minute) = 0 THEN 'minute' ELSE 'site' END, coalesce(minute, site), k.kind, detail,
       count(*), count(*) FILTER (WHERE is_first AND k.kind = placed.kind)
FROM placed CROSS JOIN LATERAL unnest(app.breakdown_kinds(placed.kind, label)) AS k (kind)
GROUP BY GROUPING SETS ((run_id, minute, k.kind, detail), (run_id, site, k.kind, detail))
UNION ALL
SELECT run_id, 'trait', x.trait, kind, detail, count(*), count(*) FILTER (WHERE is_first)
FROM placed CROSS JOIN LATERAL app.traits_of(placed.run_id, placed.seq) x
GROUP BY run_id, x.trait, kind, detail;

-- name: reach
UPDATE breakdown_progress SET position = $1;

-- name: fold
-- $1 rows at most, $2 seconds from a run's start that minutes are kept; then they are folded into quarters of an hour, the
-- coarsest that every zone's hours and days are made of. Otherwise as tallies are folded.
WITH chosen AS MATERIALIZED (
         SELECT delta_id FROM breakdown_delta ORDER BY delta_id LIMIT $1 FOR UPDATE SKIP LOCKED),
     taken AS (
         DELETE FROM breakdown_delta d USING chosen c WHERE d.delta_id = c.delta_id
         RETURNING d.run_id, d.dimension, d.value, d.kind, d.detail, d.total, d.people),
     coarse AS (
         SELECT t.run_id, t.dimension, t.kind, t.detail, t.total, t.people,
                CASE WHEN t.dimension = 'minute' AND t.value * 60 >= extract(epoch FROM run.starts_at) + $2
                     THEN t.value - t.value % 15 ELSE t.value END AS value
         FROM taken t JOIN run USING (run_id)),
     folded AS (
         INSERT INTO breakdown AS b (run_id, dimension, value, kind, detail, total, people)
         SELECT run_id, dimension, value, kind, detail, sum(total), sum(people) FROM coarse
         GROUP BY run_id, dimension, value, kind, detail ORDER BY run_id, dimension, value, kind, detail
         ON CONFLICT (run_id, dimension, value, kind, detail)
             DO UPDATE SET total = b.total + excluded.total, people = b.people + excluded.people)
SELECT count(*)::int FROM taken;

-- name: runs
SELECT run_id, starts_at, time_zone FROM run
WHERE account_id = $1 AND campaign_id = $2 AND kind = 'campaign' ORDER BY run_id;

-- name: series
-- $1 runs, $2 minutes from (inclusive), $3 to (exclusive), $4 the minutes at which spans begin: the caller knows hours, days
-- and zones. Added up here, since a month has more minutes than a caller reads in time.
SELECT width_bucket(value, $4::bigint[]) - 1 AS span, kind, detail, sum(total)::bigint AS total, sum(people)::bigint AS people
FROM (SELECT value, kind, detail, total, people FROM breakdown
      WHERE run_id = ANY ($1::uuid[]) AND dimension = 'minute' AND value >= $2 AND value < $3
      UNION ALL
      SELECT value, kind, detail, total, people FROM breakdown_delta
      WHERE run_id = ANY ($1::uuid[]) AND dimension = 'minute' AND value >= $2 AND value < $3) n
GROUP BY span, kind, detail ORDER BY span;

-- name: by_provider
-- Providers are those that the rule file names; whatever else there is is one row, without a name.
SELECT site.provider, n.kind, n.detail, sum(n.total)::bigint AS total, sum(n.people)::bigint AS people
FROM (SELECT value, kind, detail, total, people FROM breakdown WHERE run_id = ANY ($1::uuid[]) AND dimension = 'site'
      UNION ALL
      SELECT value, kind, detail, total, people FROM breakdown_delta
      WHERE run_id = ANY ($1::uuid[]) AND dimension = 'site') n
LEFT JOIN site ON site.site_id = n.value
GROUP BY site.provider, n.kind, n.detail;

-- name: runs_between
-- $2, $3: started then. A bounded number, the newest, since each has rows of its own.
SELECT run_id FROM run
WHERE account_id = $1 AND kind = 'campaign' AND started_at >= $2 AND started_at < $3 ORDER BY run_id DESC LIMIT $4;
