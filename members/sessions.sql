-- name: begin
INSERT INTO session (session_id, account_id, member_id, digest, expires_at)
VALUES ($1, $2, $3, $4, app.now() + make_interval(secs => $5));

-- name: tidy
-- Of this member: those whose time is over, and the oldest beyond $3.
DELETE FROM session
WHERE account_id = $1 AND member_id = $2
  AND (expires_at <= app.now()
       OR session_id NOT IN (SELECT session_id FROM session WHERE account_id = $1 AND member_id = $2
                             ORDER BY created_at DESC LIMIT $3));

-- name: find
SELECT session_id, account_id, member_id FROM app.session_of($1);

-- name: list
SELECT session_id, created_at, last_seen_at FROM session
WHERE account_id = $1 AND member_id = $2 AND expires_at > app.now()
ORDER BY last_seen_at DESC;

-- name: end
DELETE FROM session WHERE account_id = $1 AND member_id = $2 AND session_id = $3;

-- name: end_others
DELETE FROM session WHERE account_id = $1 AND member_id = $2 AND session_id <> $3;
