-- name: links_of_run
SELECT run.account_id, content.links FROM run JOIN content USING (content_id) WHERE run_id = $1;
