-- name: count
-- $1 subjects, $2 seconds of each. In order, so that two requests that count the same never wait in a circle. A window
-- begins with its first request.
INSERT INTO rate_limit AS r (subject, times, ends_at)
SELECT a.subject, 1, app.now() + make_interval(secs => a.seconds)
FROM unnest($1::bytea[], $2::float[]) AS a (subject, seconds) ORDER BY a.subject
ON CONFLICT (subject) DO UPDATE
    SET times = CASE WHEN r.ends_at <= app.now() THEN 1 ELSE r.times + 1 END,
        ends_at = CASE WHEN r.ends_at <= app.now() THEN excluded.ends_at ELSE r.ends_at END
RETURNING subject, times, extract(epoch FROM ends_at - app.now())::float AS seconds;
