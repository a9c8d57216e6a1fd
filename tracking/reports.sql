-- name: campaign
SELECT name FROM campaign WHERE account_id = $1 AND campaign_id = $2;

-- name: settled_until
SELECT until FROM settlement;

-- name: runs
SELECT run_id, state, starts_at, started_at, first_sent_at, finished_at, snapshot
FROM run WHERE account_id = $1 AND campaign_id = $2 AND kind = 'campaign' ORDER BY run_id;

-- name: uncertain
-- Counted from the rows, by the partial index: a late true result takes one away, which an inserted delta could not see.
-- A later try makes it that try's affair; a recipient left out since is counted as suppressed.
SELECT run_id, count(*) AS total
FROM result u
WHERE u.run_id = ANY ($1::uuid[]) AND u.outcome = 'uncertain'
  AND NOT EXISTS (SELECT FROM intent later WHERE later.run_id = u.run_id AND later.seq = u.seq AND later.try > u.try)
  AND NOT EXISTS (SELECT FROM omission o WHERE o.run_id = u.run_id AND o.seq = u.seq)
GROUP BY run_id;

-- name: versions
-- A run's content is frozen; runs of the same content are one version of it.
SELECT run_id, content_id, body ->> 'subject' AS subject FROM run JOIN content USING (content_id)
WHERE run.account_id = $1 AND run.campaign_id = $2 AND run.kind = 'campaign';

-- name: between
-- $2, $3: started then; the newest $4. Apart by what became of whoever is left: cancelled with the run, or waiting still.
SELECT cancelled, array_agg(run_id) AS run_ids, sum(snapshot)::bigint AS snapshot,
       array_agg(DISTINCT campaign_id) AS campaign_ids
FROM (SELECT run_id, campaign_id, snapshot, state = 'cancelled' AS cancelled FROM run
      WHERE account_id = $1 AND kind = 'campaign' AND started_at >= $2 AND started_at < $3
      ORDER BY started_at DESC LIMIT $4) r
GROUP BY cancelled;

-- name: counted_over
-- Of many runs at once, added up here: each has some dozens of counters.
SELECT kind, detail, sum(total)::bigint AS total, sum(people)::bigint AS people
FROM (SELECT kind, detail, total, people FROM tally WHERE run_id = ANY ($1::uuid[]) AND link = -1
      UNION ALL
      SELECT kind, detail, total, people FROM tally_delta WHERE run_id = ANY ($1::uuid[]) AND link = -1) n
GROUP BY kind, detail;

-- name: links
-- Every link of every run's content, also those that nobody followed.
SELECT run.run_id, l.number::int - 1 AS number, l.url,
       coalesce(sum(t.total) FILTER (WHERE t.kind = 'click'), 0)::bigint AS clicks,
       coalesce(sum(t.people) FILTER (WHERE t.kind = 'click'), 0)::bigint AS unique_clicks,
       coalesce(sum(t.total) FILTER (WHERE t.kind = 'human_click'), 0)::bigint AS human_clicks,
       coalesce(sum(t.people) FILTER (WHERE t.kind = 'human_click'), 0)::bigint AS unique_human_clicks
FROM run
JOIN content USING (content_id)
CROSS JOIN LATERAL unnest(content.links) WITH ORDINALITY AS l (url, number)
LEFT JOIN LATERAL (
    SELECT kind, total, people FROM tally
    WHERE tally.run_id = run.run_id AND tally.kind IN ('click', 'human_click') AND tally.link = l.number - 1
    UNION ALL
    SELECT kind, total, people FROM tally_delta d
    WHERE d.run_id = run.run_id AND d.kind IN ('click', 'human_click') AND d.link = l.number - 1) t ON true
WHERE run.account_id = $1 AND run.campaign_id = $2 AND run.kind = 'campaign'
GROUP BY run.run_id, l.number, l.url
ORDER BY run.run_id, l.number;
