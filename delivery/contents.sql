-- name: content_of_run
SELECT c.body, r.campaign_id, r.account_id, r.kind FROM run r JOIN content c USING (content_id) WHERE r.run_id = $1;
