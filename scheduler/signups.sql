-- name: answered
-- Locked while they are carried: two processes never carry the same one at once.
SELECT letter_id, account_id, member_id, subject_id, answered, answered_at FROM letter
WHERE answered IS NOT NULL AND carried_at IS NULL AND kind = $1
ORDER BY answered_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED;

-- name: carried
UPDATE letter SET carried_at = app.now() WHERE letter_id = ANY ($1::uuid[]);

-- name: lift
-- A consent lifts what the member did alone before it; within 5 s the stop wins.
UPDATE stop SET lifted_at = app.now()
WHERE account_id = $1 AND member_id = $2 AND lifted_at IS NULL AND reason IN ('unsubscribed', 'erased')
  AND occurred_at + interval '5 seconds' < $3;
