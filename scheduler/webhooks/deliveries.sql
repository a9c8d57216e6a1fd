-- name: claim
-- $1 webhooks that this process is posting to already, $2 posts for one of them, $3 in all, $4 seconds until who claims
-- has surely ended. A few from each webhook, so that a slow one holds up no other; next_at is the lease, attempts its
-- fence. The LIMIT stands in a MATERIALIZED part: run twice, it would claim twice.
WITH due AS MATERIALIZED (
         SELECT d.event_id, d.webhook_id
         FROM webhook w CROSS JOIN LATERAL (
             SELECT event_id, webhook_id, next_at FROM webhook_delivery
             WHERE webhook_id = w.webhook_id AND state = 'waiting' AND next_at <= (SELECT app.now())
             ORDER BY next_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED) d
         WHERE w.enabled AND w.webhook_id <> ALL ($1::uuid[])
         LIMIT $3),
     claimed AS (
         UPDATE webhook_delivery d SET next_at = app.now() + make_interval(secs => $4), attempts = d.attempts + 1
         FROM due WHERE d.event_id = due.event_id AND d.webhook_id = due.webhook_id
         RETURNING d.event_id, d.webhook_id, d.attempts)
SELECT c.event_id, c.webhook_id, c.attempts, o.kind, o.subject_id, o.payload, o.created_at, w.url,
       w.key_version, w.secret_version,
       CASE WHEN w.previous_until > app.now() THEN w.previous_key_version END AS previous_key_version,
       CASE WHEN w.previous_until > app.now() THEN w.previous_secret_version END AS previous_secret_version
FROM claimed c JOIN outbox o USING (event_id) JOIN webhook w USING (webhook_id);

-- name: sent
UPDATE webhook_delivery SET state = 'sent', status = $4, fault = NULL, settled_at = app.now()
WHERE event_id = $1 AND webhook_id = $2 AND attempts = $3 AND state = 'waiting' RETURNING 1;

-- name: failed
-- $6 seconds until the next attempt; null: no more.
UPDATE webhook_delivery SET status = $4, fault = $5,
       state = CASE WHEN $6::float IS NULL THEN 'dead' ELSE 'waiting' END,
       settled_at = CASE WHEN $6::float IS NULL THEN app.now() END,
       next_at = app.now() + make_interval(secs => coalesce($6, 0))
WHERE event_id = $1 AND webhook_id = $2 AND attempts = $3 AND state = 'waiting' RETURNING 1;

-- name: turn_off
UPDATE webhook SET enabled = false, reason = $2, revision = revision + 1 WHERE webhook_id = $1 AND enabled;

-- name: list
-- Newest first. $3 the notice that the page before ended with, or null; $4 a state, or null.
SELECT d.event_id, o.kind, d.state, d.attempts, d.status, d.fault, o.created_at, d.settled_at,
       CASE WHEN d.state = 'waiting' THEN d.next_at END AS next_at
FROM webhook_delivery d JOIN outbox o USING (event_id)
WHERE d.webhook_id = $1 AND o.account_id = $2 AND ($3::uuid IS NULL OR d.event_id < $3)
  AND ($4::text IS NULL OR d.state = $4)
ORDER BY d.event_id DESC LIMIT $5;

-- name: replay
-- $2 notices, or null for all that are dead, of those told since $3 (or ever). What waits already is left as it is.
UPDATE webhook_delivery d SET state = 'waiting', attempts = 0, next_at = app.now(), settled_at = NULL
FROM outbox o
WHERE o.event_id = d.event_id AND d.webhook_id = $1 AND d.state <> 'waiting'
  AND CASE WHEN $2::uuid[] IS NULL THEN d.state = 'dead' ELSE d.event_id = ANY ($2) END
  AND ($3::timestamptz IS NULL OR o.created_at >= $3)
RETURNING 1;

-- name: counts
-- Each by its partial index: most rows are of posts long taken.
SELECT (SELECT count(*) FROM webhook_delivery WHERE state = 'waiting') AS waiting,
       (SELECT count(*) FROM webhook_delivery WHERE state = 'dead') AS dead;
