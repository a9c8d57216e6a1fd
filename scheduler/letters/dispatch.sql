-- name: waiting
-- Oldest first; what another process is at is passed over.
SELECT letter_id, account_id, member_id, kind, language FROM letter
WHERE run_id IS NULL AND dropped IS NULL ORDER BY asked_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED;

-- name: drop
UPDATE letter SET dropped = t.reason
FROM unnest($1::uuid[], $2::text[]) AS t (letter_id, reason) WHERE letter.letter_id = t.letter_id;

-- name: sender
-- The one that the account's branding names; where that names none, its first.
SELECT name, address, reply_to, postal_address, contact, domain FROM sender
WHERE account_id = $1 AND ($2::uuid IS NULL OR sender_id = $2) ORDER BY sender_id LIMIT 1;

-- name: known_content
SELECT content_id FROM letter_content WHERE account_id = $1 AND digest = $2;

-- name: freeze_content
INSERT INTO content (content_id, account_id, body, links) VALUES ($1, $2, $3, '{}');

-- name: know_content
-- Of two that froze the same at once, one is kept for the next.
INSERT INTO letter_content (account_id, digest, content_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: make_run
-- As a test send: whole and running from its first moment, one chunk, in the pool that nothing holds up. The letters
-- know their place in it from the same statement on.
WITH made AS (
         INSERT INTO run (run_id, account_id, kind, state, starts_at, started_at, content_id, audience, weight,
                          audience_state, snapshot)
         SELECT $1, $2, 'letter', 'running', n.now, n.now, $3, '{}', 10, 'whole', cardinality($4::uuid[])
         FROM (SELECT app.now() AS now) n
         RETURNING run_id),
     sent_to AS (
         INSERT INTO recipient (run_id, seq, member_id, tag)
         SELECT $1, t.seq, t.member_id, t.tag
         FROM unnest($4::uuid[], $5::bigint[]) WITH ORDINALITY AS t (member_id, tag, seq)),
     chunked AS (
         INSERT INTO chunk (run_id, first_seq, last_seq) VALUES ($1, 1, cardinality($4::uuid[]))),
     placed AS (
         UPDATE letter SET run_id = $1, seq = t.seq
         FROM unnest($6::uuid[]) WITH ORDINALITY AS t (letter_id, seq) WHERE letter.letter_id = t.letter_id)
INSERT INTO lane (run_id, pool, state, weight, vtime)
SELECT run_id, 'fast', 'running', 10, coalesce(app.least_vtime('fast'), 0)
FROM made;
