-- name: runs
-- Of months that were emptied nothing is left to be counted.
SELECT run_id, account_id, state, snapshot FROM run
WHERE ($1::uuid IS NULL OR run_id = $1) AND run_id >= (SELECT emptied_before FROM retention) ORDER BY run_id;

-- name: without_time_limit
-- Ten million recipients take minutes.
SET LOCAL statement_timeout = 0;

-- name: without_nested_loops
-- Just after a run the statistics may not know it yet: the planner then expects one row, and nested loops over 20,000
-- took minutes. Every join here is of whole runs, and hashing is right for them.
SET LOCAL enable_nestloop = off;

-- name: stand
-- Each recipient once, by its own rows alone: its last try's result, else an omission, else it waits. Every law below
-- reads this. Both orders are the primary key's, backwards, so that nothing is sorted.
CREATE TEMP TABLE standing ON COMMIT DROP AS
WITH last AS (
    SELECT DISTINCT ON (i.seq) i.seq, r.outcome
    FROM intent i LEFT JOIN result r USING (run_id, seq, try)
    WHERE i.run_id = $1
    ORDER BY i.seq DESC, i.try DESC)
SELECT run_id, seq, m.member_id,
       CASE WHEN last.outcome = 'accepted' THEN 'accepted'
            WHEN last.outcome = 'failed' THEN 'failed'
            WHEN o.seq IS NOT NULL THEN 'suppressed'
            WHEN last.outcome = 'uncertain' THEN 'uncertain'
            WHEN run.state = 'cancelled' THEN 'cancelled'
            ELSE 'waiting' END AS stands
FROM recipient m
JOIN run USING (run_id)
LEFT JOIN last USING (seq)
LEFT JOIN omission o USING (run_id, seq)
WHERE run_id = $1;

-- name: cover
-- Each recipient that a chunk names which is not done, as often as it is named.
CREATE TEMP TABLE covered ON COMMIT DROP AS
SELECT c.run_id, seq, count(*) AS chunks
FROM chunk c
CROSS JOIN LATERAL (
    SELECT unnest(c.seqs) AS seq WHERE c.seqs IS NOT NULL
    UNION ALL
    SELECT generate_series(c.first_seq, c.last_seq) WHERE c.seqs IS NULL) s
WHERE c.run_id = $1 AND c.state <> 'done'
GROUP BY c.run_id, seq;

-- name: analyze_standing
ANALYZE standing;

-- name: analyze_covered
ANALYZE covered;

-- name: counts
SELECT stands, count(*)::int AS count FROM standing GROUP BY stands;

-- name: snapshot_is_whole
SELECT format('snapshot %s, recipients %s', run.snapshot, n.count) AS example, 1::bigint AS count
FROM run, (SELECT count(*) FROM standing) n
WHERE run_id = $1 AND run.snapshot <> n.count;

-- name: results_have_intents
SELECT seq::text AS example, count(*) OVER () AS count
FROM result r
WHERE run_id = $1
  AND NOT EXISTS (SELECT FROM intent i WHERE i.run_id = $1 AND i.seq = r.seq AND i.try = r.try)
LIMIT 5;

-- name: rows_have_recipients
SELECT seq::text AS example, count(*) OVER () AS count
FROM (SELECT seq FROM intent WHERE run_id = $1
      UNION SELECT seq FROM omission WHERE run_id = $1
      UNION SELECT seq FROM event WHERE run_id = $1 AND seq > 0
      UNION SELECT seq FROM covered) n
WHERE NOT EXISTS (SELECT FROM standing s WHERE s.seq = n.seq)
LIMIT 5;

-- name: nothing_follows_a_final_result
SELECT i.seq::text AS example, count(*) OVER () AS count
FROM intent i
JOIN run USING (run_id)
LEFT JOIN result r USING (run_id, seq, try)
WHERE i.run_id = $1
  AND (r.outcome IS NULL OR r.outcome IN ('accepted', 'failed')
       OR r.outcome = 'uncertain' AND NOT run.resend_uncertain)
  AND EXISTS (SELECT FROM intent later WHERE later.run_id = $1 AND later.seq = i.seq AND later.try > i.try)
LIMIT 5;

-- name: accepted_once
SELECT seq::text AS example, count(*) OVER () AS count
FROM result WHERE run_id = $1 AND outcome = 'accepted' GROUP BY seq HAVING count(*) > 1
LIMIT 5;

-- name: settled_once
SELECT o.seq::text AS example, count(*) OVER () AS count
FROM omission o JOIN standing s USING (run_id, seq)
WHERE o.run_id = $1 AND s.stands IN ('accepted', 'failed')
LIMIT 5;

-- name: open_intents_are_leased
SELECT i.seq::text AS example, count(*) OVER () AS count
FROM intent i
WHERE i.run_id = $1
  AND NOT EXISTS (SELECT FROM result r WHERE r.run_id = $1 AND r.seq = i.seq AND r.try = i.try)
  AND NOT EXISTS (SELECT FROM chunk c WHERE c.chunk_id = i.chunk_id AND c.run_id = $1 AND c.state = 'leased'
                                        AND c.owner = i.owner AND c.epoch = i.epoch)
LIMIT 5;

-- name: leases_are_live
SELECT c.first_seq::text AS example, count(*) OVER () AS count
FROM chunk c JOIN run USING (run_id)
WHERE c.run_id = $1 AND c.state = 'leased'
  AND (run.state NOT IN ('running', 'pausing', 'cancelling')
       OR NOT EXISTS (SELECT FROM worker w WHERE w.owner = c.owner AND w.reaped_at IS NULL))
LIMIT 5;

-- name: waiting_are_covered
SELECT s.seq::text AS example, count(*) OVER () AS count
FROM standing s
WHERE s.run_id = $1 AND s.stands = 'waiting'
  AND NOT EXISTS (SELECT FROM covered c WHERE c.seq = s.seq)
LIMIT 5;

-- name: covered_once
SELECT seq::text AS example, count(*) OVER () AS count FROM covered WHERE run_id = $1 AND chunks > 1 LIMIT 5;

-- name: finished_is_done
SELECT c.first_seq::text AS example, count(*) OVER () AS count
FROM chunk c JOIN run USING (run_id)
WHERE c.run_id = $1 AND run.state = 'finished' AND c.state <> 'done'
LIMIT 5;

-- name: nothing_sent_after_a_stop
-- Of all mail, or of the run's topic. An intent looks at stops as its statement begins, and a stop is known before its
-- COMMIT: 5 s is beyond both. It happened earlier where it waited in a spool for Postgres. Letters go to who left the
-- lists, too.
SELECT s.seq::text AS example, count(*) OVER () AS count
FROM run
JOIN intent i USING (run_id)
JOIN standing s USING (run_id, seq)
JOIN stop ON stop.account_id = run.account_id AND stop.member_id = s.member_id
     AND stop.scope IN ('all', 'topic:' || run.topic_id)
WHERE run_id = $1 AND i.at > stop.known_at + interval '5 seconds'
  AND NOT (run.kind = 'letter' AND stop.reason = 'unsubscribed')
  AND i.at < coalesce(stop.lifted_at, 'infinity')
LIMIT 5;

-- name: unsubscribes_stop
SELECT s.seq::text AS example, count(*) OVER () AS count
FROM run
JOIN event e USING (run_id)
JOIN standing s USING (run_id, seq)
WHERE run_id = $1 AND e.kind IN ('unsubscribe', 'complaint')
  AND NOT EXISTS (SELECT FROM stop WHERE stop.account_id = run.account_id AND stop.member_id = s.member_id
                                     AND stop.scope IN ('all', 'topic:' || run.topic_id))
LIMIT 5;

-- name: events_stored_once
-- A batch may be tried, spooled and carried over as often as it takes.
SELECT min(seq)::text AS example, count(*) OVER () AS count
FROM event WHERE run_id = $1 AND batch_id IS NOT NULL GROUP BY batch_id, place HAVING count(*) > 1
LIMIT 5;

-- name: mails_counted_once
-- An unsubscribe that came in no batch came by mail, or from the member's own page, which leaves no arrival. Of a closed
-- month mails are still taken in, and nothing is counted any more.
SELECT coalesce(e.seq, a.seq)::text AS example, count(*) OVER () AS count
FROM (SELECT seq, count(*) FILTER (WHERE kind <> 'unsubscribe') AS least, count(*) AS most FROM event
      WHERE run_id = $1 AND batch_id IS NULL AND kind IN ('bounce', 'complaint', 'unsubscribe') GROUP BY seq) e
FULL JOIN (SELECT seq, count(*) AS mails FROM arrival WHERE run_id = $1 GROUP BY seq) a USING (seq)
WHERE coalesce(a.mails, 0) NOT BETWEEN coalesce(e.least, 0) AND coalesce(e.most, 0)
  AND $1 >= (SELECT closed_before FROM retention)
LIMIT 5;

-- name: gather
-- Each event as often as it is counted: by its kind, and once settled by its label and kind; for all links, and for its own.
CREATE TEMP TABLE gathered ON COMMIT DROP AS
WITH unsettled AS MATERIALIZED (SELECT batch_id FROM ingest_batch WHERE settled_at IS NULL),
     counted AS (
         SELECT seq, kind, link FROM event WHERE run_id = $1
         UNION ALL
         SELECT seq, label || '_' || kind, link FROM event e
         WHERE run_id = $1 AND kind IN ('open', 'click')
           AND NOT EXISTS (SELECT FROM unsettled u WHERE u.batch_id = e.batch_id))
SELECT seq, kind, -1::smallint AS link FROM counted
UNION ALL
SELECT seq, kind, link FROM counted WHERE link >= 0;

-- name: firsts_equal_distinct_events
SELECT coalesce(d.seq, f.seq)::text AS example, count(*) OVER () AS count
FROM (SELECT DISTINCT seq, kind, link FROM gathered WHERE seq > 0) d
FULL JOIN (SELECT seq, kind, link FROM first_event WHERE run_id = $1) f USING (seq, kind, link)
WHERE d.seq IS NULL OR f.seq IS NULL
LIMIT 5;

-- name: bounces_equal_distinct_events
SELECT coalesce(e.seq, b.seq)::text AS example, count(*) OVER () AS count
FROM (SELECT DISTINCT seq, detail FROM event WHERE run_id = $1 AND kind = 'bounce') e
FULL JOIN (SELECT seq, class AS detail FROM bounce WHERE run_id = $1) b USING (seq, detail)
WHERE e.seq IS NULL OR b.seq IS NULL
LIMIT 5;

-- name: breakdowns_add_up
-- Over all minutes, and over all sites, there is as much of each kind as there are rows, of events up to the place that is
-- reached.
WITH reached AS (
         SELECT e.seq, e.kind, e.label, e.detail FROM event e, breakdown_progress p
         WHERE e.run_id = $1 AND (e.position <= p.position OR e.position IS NULL)),
     counted AS (
         SELECT outcome::text AS kind, count(*) AS total, 0 AS people FROM result
         WHERE run_id = $1 AND outcome IN ('accepted', 'deferred', 'failed') GROUP BY outcome
         UNION ALL
         SELECT k.kind, count(*), 0 FROM reached CROSS JOIN LATERAL unnest(app.breakdown_kinds(reached.kind, label)) AS k (kind)
         GROUP BY k.kind
         UNION ALL
         SELECT kind, 0, count(DISTINCT (seq, detail)) FILTER (WHERE seq > 0) FROM reached GROUP BY kind),
     expected AS (
         SELECT dimension, kind, sum(total) AS total, sum(people) AS people
         FROM counted CROSS JOIN unnest(ARRAY['minute', 'site']) AS dimension GROUP BY dimension, kind),
     found AS (
         SELECT dimension, kind, sum(total) AS total, sum(people) AS people
         FROM (SELECT dimension, kind, total, people FROM breakdown WHERE run_id = $1
               UNION ALL
               SELECT dimension, kind, total, people FROM breakdown_delta WHERE run_id = $1) n
         WHERE dimension <> 'trait' GROUP BY dimension, kind)
SELECT format('%s by %s: expected %s (%s people), found %s (%s)', kind, dimension, e.total, e.people, f.total, f.people)
           AS example, count(*) OVER () AS count
FROM expected e FULL JOIN found f USING (dimension, kind)
WHERE (coalesce(e.total, 0), coalesce(e.people, 0)) <> (coalesce(f.total, 0), coalesce(f.people, 0))
LIMIT 5;

-- name: traits_add_up
-- Each trait has as much of each kind as its recipients have rows: events up to the place that is reached, and opens and
-- clicks by label once they are settled.
WITH bearing AS MATERIALIZED (
         SELECT r.seq, x.trait FROM recipient r
         JOIN cell c ON c.run_id = $1 AND c.no = r.cell CROSS JOIN LATERAL unnest(c.traits) AS x (trait)
         WHERE r.run_id = $1
         UNION ALL
         SELECT 0, 0),
     rows AS (
         SELECT seq, 'snapshot' AS kind, '' AS detail, false AS by_people FROM recipient WHERE run_id = $1
         UNION ALL
         SELECT seq, outcome::text, CASE WHEN outcome = 'accepted' THEN '' ELSE coalesce(reason, '') END, false FROM result
         WHERE run_id = $1 AND outcome IN ('accepted', 'deferred', 'failed')
         UNION ALL
         SELECT seq, 'suppressed', reason, false FROM omission WHERE run_id = $1
         UNION ALL
         SELECT e.seq, e.kind, e.detail, true FROM event e, breakdown_progress p
         WHERE e.run_id = $1 AND (e.position <= p.position OR e.position IS NULL)
         UNION ALL
         SELECT seq, kind, '', true FROM gathered
         WHERE link = -1 AND kind IN ('human_open', 'human_click', 'machine_open', 'machine_click')),
     expected AS (
         SELECT b.trait::bigint AS value, kind, detail, count(*) AS total,
                count(DISTINCT nullif(seq, 0)) FILTER (WHERE by_people) AS people
         FROM rows JOIN bearing b USING (seq) GROUP BY b.trait, kind, detail),
     found AS (
         SELECT value, kind, detail, sum(total) AS total, sum(people) AS people
         FROM (SELECT value, kind, detail, total, people FROM breakdown WHERE run_id = $1 AND dimension = 'trait'
               UNION ALL
               SELECT value, kind, detail, total, people FROM breakdown_delta WHERE run_id = $1 AND dimension = 'trait') n
         GROUP BY value, kind, detail)
SELECT format('trait %s %s %s: expected %s (%s people), found %s (%s)', value, kind, detail, e.total, e.people, f.total,
              f.people) AS example, count(*) OVER () AS count
FROM expected e FULL JOIN found f USING (value, kind, detail)
WHERE (coalesce(e.total, 0), coalesce(e.people, 0)) <> (coalesce(f.total, 0), coalesce(f.people, 0))
LIMIT 5;

-- name: counters_equal_recounts
WITH counted AS (
         SELECT kind, detail, link, sum(total)::bigint AS total, sum(people)::bigint AS people
         FROM (SELECT kind, detail, link, total, people FROM tally WHERE run_id = $1
               UNION ALL
               SELECT kind, detail, link, total, people FROM tally_delta WHERE run_id = $1) n
         GROUP BY kind, detail, link),
     found AS (
         SELECT outcome::text AS kind, coalesce(reason, '') AS detail, -1::smallint AS link, count(*) AS total,
                0::bigint AS people
         FROM result WHERE run_id = $1 AND outcome IN ('accepted', 'deferred', 'failed') GROUP BY outcome, reason
         UNION ALL
         SELECT 'suppressed', reason, -1, count(*), 0 FROM omission WHERE run_id = $1 GROUP BY reason
         UNION ALL
         SELECT kind, '', link, count(*), count(DISTINCT nullif(seq, 0))
         FROM gathered WHERE kind <> 'bounce' GROUP BY kind, link
         UNION ALL
         SELECT kind, detail, -1, count(*), count(DISTINCT seq) FROM event
         WHERE run_id = $1 AND kind = 'bounce' GROUP BY kind, detail)
SELECT format('%s %s %s: counted %s (%s people), found %s (%s)', kind, detail, link, coalesce(c.total, 0),
              coalesce(c.people, 0), coalesce(f.total, 0), coalesce(f.people, 0)) AS example,
       count(*) OVER () AS count
FROM counted c FULL JOIN found f USING (kind, detail, link)
WHERE (coalesce(c.total, 0), coalesce(c.people, 0)) <> (coalesce(f.total, 0), coalesce(f.people, 0))
LIMIT 5;
