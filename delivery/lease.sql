-- name: register
INSERT INTO worker (owner, pool, slot, host, pid, started_at, alive_until)
VALUES ($1, $2, $3, $4, $5, app.now(), app.now() + make_interval(secs => $6));

-- name: beat
-- No row: this owner was reaped, its work was given away, and it must drop everything.
UPDATE worker SET alive_until = app.now() + make_interval(secs => $2)
WHERE owner = $1 AND reaped_at IS NULL RETURNING 1;

-- name: close
-- Chunks were handed back before; what a fault left leased is freed at once instead of after the lease.
WITH gone AS (UPDATE worker SET reaped_at = app.now() WHERE owner = $1 AND reaped_at IS NULL RETURNING owner),
     chunks AS (UPDATE chunk SET state = 'ready', owner = NULL FROM gone
                WHERE chunk.owner = gone.owner AND chunk.state = 'leased'),
     jobs AS (UPDATE job SET state = 'ready', owner = NULL FROM gone
              WHERE job.owner = gone.owner AND job.state = 'leased')
SELECT count(*) FROM gone;
