-- name: runs
-- $1 days. Oldest first, so that what is wrong longest is told first.
SELECT run_id, account_id FROM run
WHERE kind = 'campaign' AND started_at >= app.now() - make_interval(days => $1)
  AND run_id >= (SELECT emptied_before FROM retention) ORDER BY run_id;
