-- name: wait
-- Nothing is settled meanwhile.
SELECT until FROM settlement FOR UPDATE;

-- name: runs
-- Its id has the time at which a run was scheduled: nothing of it happened before.
SELECT r.run_id, r.snapshot, cardinality(c.links) AS links FROM run r JOIN content c USING (content_id)
WHERE r.run_id < app.uuid_floor($1) AND r.run_id >= (SELECT emptied_before FROM retention) ORDER BY r.run_id;

-- name: agents
SELECT agent, text FROM agent;

-- name: events
-- $1 run, $2 to $3 sequence numbers, from $4 until $5. Settled ones: what is not will be judged by the new rules anyway.
-- Once a recipient, moment and agent, which is all that a verdict depends on.
SELECT DISTINCT e.seq, e.occurred_at, e.agent, e.batch_id IS NOT NULL AS agent_noted, e.label, e.rule,
       d.at AS delivered_at
FROM event e
LEFT JOIN LATERAL (SELECT min(at) AS at FROM result r
                   WHERE r.run_id = e.run_id AND r.seq = e.seq AND r.outcome = 'accepted') d ON true
WHERE e.run_id = $1 AND e.seq BETWEEN $2 AND $3 AND e.kind IN ('open', 'click')
  AND e.occurred_at >= $4 AND e.occurred_at < $5
  AND NOT EXISTS (SELECT FROM ingest_batch b WHERE b.batch_id = e.batch_id AND b.settled_at IS NULL);

-- name: followed
-- As settling asks it, of the same recipients, from $4 until $5 and $6 seconds around.
SELECT DISTINCT run_id, seq, link, date_trunc('second', occurred_at) AS at FROM event
WHERE run_id = $1 AND seq BETWEEN greatest($2, 1) AND $3 AND kind IN ('click', 'honeypot')
  AND occurred_at >= $4::timestamptz - make_interval(secs => $6)
  AND occurred_at <= $5::timestamptz + make_interval(secs => $6);

-- name: label
-- $1 run; arrays: $2 seq, $3 moment, $4 agent, $5 label, $6 rule. Totals move from the old label to the new one. Returns how
-- many events got another label or rule.
WITH found AS MATERIALIZED (
         SELECT e.tableoid, e.ctid, v.seq, e.kind, e.link, e.label AS was, v.label, v.rule
         FROM unnest($2::int[], $3::timestamptz[], $4::bigint[], $5::text[], $6::text[])
             AS v (seq, occurred_at, agent, label, rule)
         CROSS JOIN LATERAL (
             SELECT tableoid, ctid, kind, link, label, batch_id FROM event
             WHERE event.run_id = $1 AND event.seq = v.seq AND event.occurred_at = v.occurred_at
               AND event.agent = v.agent AND event.kind IN ('open', 'click')) e
         WHERE NOT EXISTS (SELECT FROM ingest_batch b WHERE b.batch_id = e.batch_id AND b.settled_at IS NULL)),
     written AS (
         UPDATE event e SET label = f.label, rule = f.rule FROM found f
         WHERE e.run_id = $1 AND e.tableoid = f.tableoid AND e.ctid = f.ctid),
     moved AS (
         SELECT seq, was AS label, kind, link, -1 AS total FROM found WHERE was <> label
         UNION ALL
         SELECT seq, label, kind, link, 1 FROM found WHERE was <> label),
     by_trait AS (
         INSERT INTO breakdown_delta (run_id, dimension, value, kind, total, people)
         SELECT $1, 'trait', x.trait, m.label || '_' || m.kind, sum(m.total), 0
         FROM moved m CROSS JOIN LATERAL app.traits_of($1, m.seq) x
         GROUP BY x.trait, m.label, m.kind),
     tallied AS (
         INSERT INTO tally_delta (run_id, kind, link, total, people)
         SELECT $1, label || '_' || kind, link, sum(total), 0
         FROM (SELECT label, kind, -1::smallint AS link, total FROM moved
               UNION ALL
               SELECT label, kind, link, total FROM moved WHERE link >= 0) n
         GROUP BY label, kind, link)
SELECT count(*)::int FROM found;

-- name: count_people
-- $1 run, $2 the recipients of whom something changed: who is a first is found anew from all of their settled events.
WITH wanted AS MATERIALIZED (
         SELECT DISTINCT e.seq, e.label || '_' || e.kind AS kind, l.link
         FROM event e CROSS JOIN LATERAL (SELECT -1::smallint AS link UNION SELECT e.link) l
         WHERE e.run_id = $1 AND e.seq = ANY ($2::int[]) AND e.seq > 0 AND e.kind IN ('open', 'click')
           AND NOT EXISTS (SELECT FROM ingest_batch b WHERE b.batch_id = e.batch_id AND b.settled_at IS NULL)),
     gone AS (
         DELETE FROM first_event f
         WHERE f.run_id = $1 AND f.seq = ANY ($2::int[])
           AND f.kind IN ('human_open', 'human_click', 'machine_open', 'machine_click')
           AND NOT EXISTS (SELECT FROM wanted w WHERE w.seq = f.seq AND w.kind = f.kind AND w.link = f.link)
         RETURNING seq, kind, link),
     come AS (
         INSERT INTO first_event (run_id, seq, kind, link) SELECT $1, seq, kind, link FROM wanted
         ON CONFLICT DO NOTHING RETURNING seq, kind, link),
     moved AS (
         SELECT seq, kind, link, -1 AS people FROM gone UNION ALL SELECT seq, kind, link, 1 FROM come),
     by_trait AS (
         INSERT INTO breakdown_delta (run_id, dimension, value, kind, total, people)
         SELECT $1, 'trait', x.trait, m.kind, 0, sum(m.people)
         FROM moved m CROSS JOIN LATERAL app.traits_of($1, m.seq) x
         WHERE m.link = -1
         GROUP BY x.trait, m.kind)
INSERT INTO tally_delta (run_id, kind, link, total, people)
SELECT $1, kind, link, 0, sum(people) FROM moved GROUP BY kind, link;

-- name: engage
-- $1 run, $2 as above. The last that a person did; what was taken for a person's and is not stays until a later one.
INSERT INTO engagement_delta (account_id, member_id, kind, at)
SELECT run.account_id, r.member_id, e.kind, max(e.occurred_at)
FROM run JOIN recipient r USING (run_id) JOIN event e USING (run_id, seq)
WHERE run_id = $1 AND r.seq = ANY ($2::int[]) AND e.kind IN ('open', 'click') AND e.label = 'human'
GROUP BY run.account_id, r.member_id, e.kind;
