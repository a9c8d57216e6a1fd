-- name: register
INSERT INTO worker (owner, pool, slot, host, pid, started_at, alive_until)
VALUES ($1, $2, $3, $4, $5, app.now(), app.now() + make_interval(secs => $6));

-- name: beat
-- No row: this owner was reaped, its work was given away, and it must drop everything.
UPDATE worker SET alive_until = app.now() + make_interval(secs => $2)
WHERE owner = $1 AND reaped_at IS NULL RETURNING 1;

-- name: close
-- Chunks were handed back before; what a fault left leased is freed at once instead of after the lease. But with an
-- intent still open nothing is freed: a free chunk never holds one, and only recovery knows what became of it.
WITH gone AS (
         UPDATE worker SET reaped_at = app.now()
         WHERE owner = $1 AND reaped_at IS NULL AND NOT EXISTS (
             SELECT FROM chunk c
             JOIN intent i ON i.run_id = c.run_id AND i.seq BETWEEN c.first_seq AND c.last_seq AND i.owner = $1
             LEFT JOIN result r ON r.run_id = i.run_id AND r.seq = i.seq AND r.try = i.try
             WHERE c.owner = $1 AND c.state = 'leased' AND r.run_id IS NULL)
         RETURNING owner),
     chunks AS (UPDATE chunk SET state = 'ready', owner = NULL FROM gone
                WHERE chunk.owner = gone.owner AND chunk.state = 'leased'),
     jobs AS (UPDATE job SET state = 'ready', owner = NULL FROM gone
              WHERE job.owner = gone.owner AND job.state = 'leased')
SELECT count(*) FROM gone;
