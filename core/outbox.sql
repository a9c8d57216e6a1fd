-- name: tell
INSERT INTO outbox (event_id, account_id, kind, subject_id, payload) VALUES ($1, $2, $3, $4, $5);

-- name: newest
-- $2 the id that the page before ended with, or null.
SELECT event_id, kind, subject_id, payload, created_at FROM outbox
WHERE account_id = $1 AND ($2::uuid IS NULL OR event_id < $2) AND kind = ANY ($4::text[])
ORDER BY event_id DESC LIMIT $3;

-- name: following
SELECT event_id, kind, subject_id, payload, created_at FROM outbox
WHERE account_id = $1 AND event_id > $2 AND kind = ANY ($4::text[]) ORDER BY event_id LIMIT $3;

-- name: forget
DELETE FROM outbox WHERE created_at < app.now() - make_interval(days => $1);
