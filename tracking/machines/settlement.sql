-- name: begin
-- One settles at a time, and relabels: whoever finds the row locked leaves it to the other.
SELECT until FROM settlement FOR UPDATE SKIP LOCKED;

-- name: due
-- $1 seconds after it came that a batch is settled; $2 batches at most. By the partial index, however many are settled.
SELECT batch_id FROM ingest_batch
WHERE settled_at IS NULL AND at <= (SELECT app.now()) - make_interval(secs => $1)
ORDER BY at LIMIT $2;

-- name: events
-- $1 batches. What a machine's agent asked for is judged already, and of nobody (sequence number 0) nothing more is known. A batch's events are found by the index on batches, in
-- each month's partition; the look-ups go by primary key into the one of their run.
SELECT e.run_id, e.seq, e.batch_id, e.place, e.rule, e.occurred_at, d.at AS delivered_at, c.links
FROM event e
JOIN LATERAL (SELECT content_id FROM run WHERE run.run_id = e.run_id) run ON true
JOIN LATERAL (SELECT cardinality(links) AS links FROM content WHERE content.content_id = run.content_id) c ON true
LEFT JOIN LATERAL (SELECT min(at) AS at FROM result r
                   WHERE r.run_id = e.run_id AND r.seq = e.seq AND r.outcome = 'accepted') d ON true
WHERE e.batch_id = ANY ($1::uuid[]) AND e.seq > 0 AND e.kind IN ('open', 'click') AND e.label = 'human';

-- name: followed
-- $1 batches, $2 seconds around each of their events. Once a link and second, so that a link that is asked for a thousand
-- times says no more than one.
SELECT DISTINCT e.run_id, e.seq, e.link, date_trunc('second', e.occurred_at) AS at
FROM (SELECT run_id, seq, min(occurred_at) AS first, max(occurred_at) AS last
      FROM event WHERE batch_id = ANY ($1::uuid[]) AND seq > 0 GROUP BY run_id, seq) m
JOIN LATERAL (
    SELECT run_id, seq, link, occurred_at FROM event
    WHERE event.run_id = m.run_id AND event.seq = m.seq AND kind IN ('click', 'honeypot')
      AND occurred_at >= m.first - make_interval(secs => $2) AND occurred_at <= m.last + make_interval(secs => $2)) e ON true;

-- name: label
-- Only what turned out otherwise than its agent said is written anew.
UPDATE event e SET label = 'machine', rule = v.rule
FROM unnest($1::uuid[], $2::smallint[], $3::text[]) AS v (batch_id, place, rule)
WHERE e.batch_id = v.batch_id AND e.place = v.place;

-- name: settle
-- $1 batches, labelled. As intake counts: totals, and people by the first of its kind. A last open or click is a person's.
WITH seen AS MATERIALIZED (
         SELECT run_id, seq, label, kind, label || '_' || kind AS counter, link, occurred_at FROM event
         WHERE batch_id = ANY ($1::uuid[]) AND kind IN ('open', 'click')),
     counted AS MATERIALIZED (
         SELECT run_id, seq, counter, -1::smallint AS link FROM seen
         UNION ALL
         SELECT run_id, seq, counter, link FROM seen WHERE link >= 0),
     firsts AS (
         INSERT INTO first_event (run_id, seq, kind, link)
         SELECT DISTINCT run_id, seq, counter, link FROM counted WHERE seq > 0 ORDER BY run_id, seq, counter, link
         ON CONFLICT DO NOTHING
         RETURNING run_id, seq, kind, link),
     tallied AS (
         INSERT INTO tally_delta (run_id, kind, link, total, people)
         SELECT run_id, counter, link, sum(total), sum(people)
         FROM (SELECT run_id, counter, link, 1 AS total, 0 AS people FROM counted
               UNION ALL
               SELECT run_id, kind, link, 0, 1 FROM firsts) n
         GROUP BY run_id, counter, link),
     by_trait AS (
         INSERT INTO breakdown_delta (run_id, dimension, value, kind, total, people)
         SELECT n.run_id, 'trait', x.trait, n.counter, sum(n.total), sum(n.people)
         FROM (SELECT run_id, seq, counter, 1 AS total, 0 AS people FROM seen
               UNION ALL
               SELECT run_id, seq, kind, 0, 1 FROM firsts WHERE link = -1) n
         CROSS JOIN LATERAL app.traits_of(n.run_id, n.seq) x
         GROUP BY n.run_id, x.trait, n.counter),
     engaged AS (
         INSERT INTO engagement_delta (account_id, member_id, kind, at)
         SELECT run.account_id, r.member_id, s.kind, max(s.occurred_at)
         FROM seen s JOIN run USING (run_id) CROSS JOIN LATERAL (
             SELECT member_id FROM recipient WHERE recipient.run_id = s.run_id AND recipient.seq = s.seq LIMIT 1) r
         WHERE s.label = 'human'
         GROUP BY run.account_id, r.member_id, s.kind)
UPDATE ingest_batch SET settled_at = app.now() WHERE batch_id = ANY ($1::uuid[]);

-- name: advance
-- $1 as in `due`. What came before the oldest that is left is settled; nothing later is said of what may still be in a
-- transaction under way.
UPDATE settlement SET until = greatest(until, least(
    app.now() - make_interval(secs => $1), (SELECT min(at) FROM ingest_batch WHERE settled_at IS NULL)));

-- name: until
SELECT until FROM settlement;
