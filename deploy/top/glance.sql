-- name: runs
-- What is live, and the last few that ended. Folded tallies and those not folded yet are added, as in a report. What
-- is uncertain and what waits for another try are counted where they stand, by partial indexes.
WITH shown AS (
    (SELECT run_id FROM run WHERE state NOT IN ('finished', 'cancelled') ORDER BY starts_at, run_id LIMIT 50)
    UNION ALL
    (SELECT run_id FROM run WHERE state IN ('finished', 'cancelled') ORDER BY run_id DESC LIMIT 5)
), counted AS (
    SELECT run_id,
           sum(total) FILTER (WHERE kind = 'accepted') AS accepted,
           sum(total) FILTER (WHERE kind = 'failed') AS failed,
           sum(total) FILTER (WHERE kind = 'suppressed') AS suppressed,
           sum(total) FILTER (WHERE kind = 'deferred') AS deferred
    FROM (SELECT run_id, kind, total FROM tally WHERE run_id IN (SELECT run_id FROM shown) AND link = -1
          UNION ALL
          SELECT run_id, kind, total FROM tally_delta WHERE run_id IN (SELECT run_id FROM shown) AND link = -1) t
    GROUP BY run_id
)
SELECT r.run_id, c.name, r.kind, r.state, r.audience_state, r.snapshot, r.starts_at, r.first_sent_at,
       l.pool, l.state AS lane, l.weight, l.rate_per_hour,
       coalesce(t.accepted, 0)::bigint AS accepted, coalesce(t.failed, 0)::bigint AS failed,
       coalesce(t.suppressed, 0)::bigint AS suppressed, coalesce(t.deferred, 0)::bigint AS deferred,
       (SELECT count(*) FROM result u WHERE u.run_id = r.run_id AND u.outcome = 'uncertain'
          AND NOT EXISTS (SELECT FROM intent i WHERE i.run_id = u.run_id AND i.seq = u.seq AND i.try > u.try)
       ) AS uncertain,
       (SELECT coalesce(sum(coalesce(cardinality(k.seqs), k.last_seq - k.first_seq + 1)), 0) FROM chunk k
        WHERE k.run_id = r.run_id AND k.state = 'ready' AND k.not_before > app.now()) AS retries,
       extract(epoch FROM r.starts_at - app.now())::float8 AS starts_in,
       extract(epoch FROM r.resume_at - app.now())::float8 AS resumes_in
FROM shown s JOIN run r USING (run_id) JOIN campaign c USING (campaign_id)
LEFT JOIN lane l USING (run_id) LEFT JOIN counted t USING (run_id)
ORDER BY r.state IN ('finished', 'cancelled'), r.starts_at, r.run_id;

-- name: workers
-- Each process start has a row; those that are retired, or whose lease ran out long ago, are left out.
SELECT w.pool, w.slot, w.host, w.pid, extract(epoch FROM app.now() - w.started_at)::float8 AS up_seconds,
       extract(epoch FROM w.alive_until - app.now())::float8 AS lease_seconds,
       (SELECT count(*) FROM chunk k WHERE k.owner = w.owner AND k.state = 'leased') AS chunks,
       (SELECT count(*) FROM job j WHERE j.owner = w.owner AND j.state = 'leased') AS jobs
FROM worker w
WHERE w.reaped_at IS NULL AND w.alive_until > app.now() - interval '10 minutes'
ORDER BY w.pool, w.host, w.slot, w.started_at;

-- name: stops
-- Counted to a bound: a glance must not scan a backlog.
SELECT count(*) AS waiting, coalesce(extract(epoch FROM app.now() - min(occurred_at)), 0)::float8 AS oldest_seconds
FROM (SELECT occurred_at FROM stop WHERE carried_at IS NULL ORDER BY occurred_at LIMIT 10000) s;

-- name: sites
-- Where connections are in use, or mail that is due waits for room. What is not sorted by site is its run's.
WITH live AS MATERIALIZED (SELECT owner FROM worker WHERE reaped_at IS NULL AND alive_until > (SELECT app.now())),
     used AS (
         SELECT source_id, site_id, count(*) AS used FROM permit WHERE owner IN (SELECT owner FROM live)
         GROUP BY source_id, site_id),
     waiting AS (
         SELECT site_id, sum(coalesce(cardinality(seqs), last_seq - first_seq + 1)) AS waiting FROM chunk
         WHERE state = 'ready' AND site_id IS NOT NULL AND not_before <= (SELECT app.now()) GROUP BY site_id),
     seen AS (SELECT site_id FROM used UNION SELECT site_id FROM waiting)
SELECT site_id, site.provider, coalesce(sum(used.used), 0)::int AS used, coalesce(sum(pace.slots), 0)::int AS allowed,
       CASE WHEN bool_and(pace.rate IS NOT NULL) THEN sum(pace.rate) END AS rate,
       coalesce(waiting.waiting, 0)::bigint AS waiting
FROM seen JOIN site USING (site_id) LEFT JOIN waiting USING (site_id)
LEFT JOIN pace USING (site_id) LEFT JOIN used USING (site_id, source_id)
GROUP BY site_id, site.provider, waiting.waiting
ORDER BY waiting DESC, used DESC, site_id LIMIT 100;

-- name: by_index
-- For the rest of the transaction. How much of a month is its last ten seconds no statistics can tell: the planner takes
-- a third for granted and reads it all.
SET LOCAL enable_seqscan = off;

-- name: sources
-- $1 seconds to look back, by the index of results by time.
WITH live AS MATERIALIZED (SELECT owner FROM worker WHERE reaped_at IS NULL AND alive_until > (SELECT app.now())),
     used AS (SELECT source_id, count(*) AS used FROM permit WHERE owner IN (SELECT owner FROM live) GROUP BY source_id),
     sent AS (
         SELECT source_id, count(*) / $1::float8 AS speed FROM result
         WHERE at > (SELECT app.now()) - make_interval(secs => $1) AND outcome = 'accepted' GROUP BY source_id)
SELECT s.source_id, s.name, coalesce(used.used, 0)::int AS used, coalesce(sent.speed, 0) AS speed, d.granted AS today
FROM source s LEFT JOIN used USING (source_id) LEFT JOIN sent USING (source_id)
LEFT JOIN source_day d ON d.source_id = s.source_id AND d.day = (app.now() AT TIME ZONE 'UTC')::date
ORDER BY s.source_id LIMIT 100;

-- name: deferrals
-- Tries that receivers have put off, of these runs, by reason.
SELECT run_id, detail AS reason, sum(total)::bigint AS total
FROM (SELECT run_id, detail, total FROM tally WHERE run_id = ANY ($1::uuid[]) AND kind = 'deferred'
      UNION ALL
      SELECT run_id, detail, total FROM tally_delta WHERE run_id = ANY ($1::uuid[]) AND kind = 'deferred') t
GROUP BY run_id, detail;
