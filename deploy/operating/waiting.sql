-- name: groups
-- What is not done, by run, site and reason. $1 a campaign, or null for all; $2 sites, or null for all; $3 whether what
-- is not sorted by site belongs to them. A chunk that a worker has in hand waits for nothing. Times are told as spans of
-- seconds: a due time may be -infinity. The time stands in a materialized part, or it would be asked anew for each row.
WITH n AS MATERIALIZED (SELECT app.now() AS now)
SELECT k.run_id, r.campaign_id, r.kind, r.state, extract(epoch FROM r.resume_at - n.now)::float8 AS resumes_in,
       k.site_id, s.provider, CASE k.state WHEN 'leased' THEN 'sending' ELSE k.why END AS why,
       count(*) AS chunks,
       sum(coalesce(cardinality(k.seqs), k.last_seq - k.first_seq + 1))::bigint AS recipients,
       extract(epoch FROM greatest(min(k.not_before), n.now) - n.now)::float8 AS due_in,
       extract(epoch FROM n.now - min(k.held_since))::float8 AS held_for
FROM n CROSS JOIN chunk k JOIN run r USING (run_id) LEFT JOIN site s USING (site_id)
WHERE k.state <> 'done' AND r.state NOT IN ('finished', 'cancelled')
  AND ($1::uuid IS NULL OR r.campaign_id = $1)
  AND ($2::int[] IS NULL OR k.site_id = ANY ($2) OR $3 AND k.site_id IS NULL)
GROUP BY n.now, k.run_id, r.campaign_id, r.kind, r.state, r.resume_at, k.site_id, s.provider,
         CASE k.state WHEN 'leased' THEN 'sending' ELSE k.why END
ORDER BY k.run_id, recipients DESC, k.site_id, why;
