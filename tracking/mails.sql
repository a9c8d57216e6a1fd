-- name: page
-- Letters are of no campaign. One probe of the unique (run_id, member_id) a run, which names the one partition to look into.
SELECT r.run_id, r.campaign_id, coalesce(c.name, 'letter') AS campaign, r.starts_at, s.outcome::text AS outcome, s.at,
       o.reason AS omitted, coalesce(e.events, '[]') AS events
FROM run r
LEFT JOIN campaign c USING (campaign_id)
CROSS JOIN LATERAL (SELECT seq FROM recipient WHERE run_id = r.run_id AND member_id = $2 OFFSET 0) AS m
LEFT JOIN LATERAL (SELECT outcome, at FROM result
                   WHERE run_id = r.run_id AND seq = m.seq AND outcome <> 'released'
                   ORDER BY try DESC LIMIT 1) AS s ON true
LEFT JOIN omission o ON o.run_id = r.run_id AND o.seq = m.seq
LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_object('kind', kind, 'link', nullif(link, -1), 'at', occurred_at)) AS events
                   FROM (SELECT kind, link, occurred_at FROM event
                         WHERE run_id = r.run_id AND seq = m.seq AND kind <> 'honeypot' ORDER BY occurred_at LIMIT 1000) AS first) AS e ON true
WHERE r.account_id = $1 AND ($3::uuid IS NULL OR r.run_id < $3)
ORDER BY r.run_id DESC
LIMIT $4;

-- name: stops
SELECT scope, reason, occurred_at, lifted_at FROM stop
WHERE account_id = $1 AND member_id = $2
ORDER BY occurred_at;
