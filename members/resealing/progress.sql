-- name: get
SELECT goal, state, pass, total, done, unreadable, started_at, finished_at FROM reseal WHERE account_id = $1;
