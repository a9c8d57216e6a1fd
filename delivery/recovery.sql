-- name: retire
-- One-way, and first in its transaction: from here on the owner can claim and intend nothing.
UPDATE worker SET reaped_at = app.now() WHERE owner = $1 AND reaped_at IS NULL RETURNING 1;

-- name: open_intents
-- Unresolved intents of an owner stand only within its leased chunks.
SELECT i.run_id, i.seq, i.try
FROM chunk c JOIN intent i ON i.run_id = c.run_id AND i.seq BETWEEN c.first_seq AND c.last_seq AND i.owner = $1
LEFT JOIN result r ON r.run_id = i.run_id AND r.seq = i.seq AND r.try = i.try
WHERE c.owner = $1 AND c.state = 'leased' AND r.run_id IS NULL;

-- name: free_work
WITH chunks AS (UPDATE chunk SET state = 'ready', owner = NULL WHERE owner = $1 AND state = 'leased'),
     jobs AS (UPDATE job SET state = 'ready', owner = NULL WHERE owner = $1 AND state = 'leased' RETURNING 1)
SELECT count(*) FROM jobs;

-- name: long_dead
-- Their lease has ended and the longest wait for a reply to the final dot is over as well.
SELECT owner FROM worker
WHERE reaped_at IS NULL AND alive_until + make_interval(secs => CASE pool WHEN 'jobs' THEN 0 ELSE $1 END) < app.now()
LIMIT 100;
