-- name: opened
SELECT letter_id, account_id, member_id, kind, language, subject_id, asked_at, expires_at <= app.now() AS expired, answered
FROM letter WHERE run_id = $1 AND seq = $2;

-- name: answer
-- The first answer stands, whoever else is pressing the button just now.
WITH noted AS (
    UPDATE letter SET answered = $2, answered_at = app.now() WHERE letter_id = $1 AND answered IS NULL
    RETURNING answered)
SELECT answered FROM noted
UNION ALL
SELECT answered FROM letter WHERE letter_id = $1 AND NOT EXISTS (SELECT FROM noted);

-- name: recent
SELECT count(*) FROM letter
WHERE account_id = $1 AND member_id = $2 AND kind = $3 AND asked_at > app.now() - make_interval(secs => $4);
