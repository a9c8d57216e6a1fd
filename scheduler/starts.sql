-- name: turn_away
-- A run whose audience can't be had does not start: at its time it is cancelled, with the reason that it bears.
WITH due AS MATERIALIZED (
         SELECT run_id FROM run WHERE state = 'scheduled' AND starts_at <= (SELECT app.now()) AND audience_state = 'failed'
         LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED),
     gone AS (
         UPDATE run SET state = 'cancelled', finished_at = app.now() FROM due WHERE run.run_id = due.run_id
         RETURNING run.run_id),
     lanes AS (UPDATE lane SET state = 'closed' FROM gone WHERE lane.run_id = gone.run_id)
SELECT run_id FROM gone;

-- name: start_due
-- Whoever locks a due run starts it, and no one can a second time: it is not scheduled any more. SKIP LOCKED: another
-- scheduler that is just starting it needs no help. A lane begins at the least virtual time of those that run, so that
-- it takes its share from now on and makes up for nothing.
WITH due AS MATERIALIZED (
         SELECT run_id FROM run
         WHERE state = 'scheduled' AND starts_at <= (SELECT app.now()) AND audience_state <> 'failed'
         ORDER BY starts_at LIMIT 200 FOR NO KEY UPDATE SKIP LOCKED),
     started AS (
         UPDATE run SET state = 'running', started_at = app.now() FROM due WHERE run.run_id = due.run_id
         RETURNING run.run_id, run.starts_at, run.started_at),
     lanes AS (
         UPDATE lane SET state = 'running', vtime = greatest(vtime, app.least_vtime(pool))
         FROM started WHERE lane.run_id = started.run_id)
SELECT run_id, extract(epoch FROM started_at - starts_at)::float AS lateness FROM started;

-- name: soon_due
-- In how many seconds runs will be due, within the next $1: the database's time, told as a distance.
SELECT DISTINCT extract(epoch FROM starts_at - n.now)::float AS wait
FROM run, (SELECT app.now() AS now) n
WHERE state = 'scheduled' AND starts_at > n.now AND starts_at <= n.now + make_interval(secs => $1)
ORDER BY wait LIMIT 20;
