-- name: by_reason
-- By the primary key, run by run: a row is a recipient, since the first word of each stays.
SELECT l.reason, count(*) AS recipients
FROM run JOIN leaving l USING (run_id)
WHERE run.account_id = $1 AND run.campaign_id = $2 AND run.kind = 'campaign'
GROUP BY l.reason;
