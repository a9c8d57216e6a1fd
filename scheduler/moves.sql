-- name: decided
-- From the letters that were answered and are not carried, which are few; the other of the pair by its member. One no decides
-- at once, a yes with the other.
SELECT l.letter_id, l.account_id, l.member_id, l.subject_id,
       l.answered = 'accepted' AND other.answered = 'accepted' AS agreed
FROM letter l
JOIN letter other ON other.account_id = l.account_id AND other.member_id = l.member_id
     AND other.subject_id = l.subject_id AND other.letter_id <> l.letter_id
WHERE l.answered IS NOT NULL AND l.carried_at IS NULL AND l.kind = ANY ($1::text[])
  AND (l.answered = 'disowned' OR other.answered IS NOT NULL)
ORDER BY l.answered_at LIMIT $2 FOR NO KEY UPDATE OF l SKIP LOCKED;

-- name: carried
UPDATE letter SET carried_at = app.now() WHERE letter_id = ANY ($1::uuid[]);
