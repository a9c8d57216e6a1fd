-- name: ask
-- A letter that is there already is the same letter. Named columns alone, as the pages' role may insert no others.
INSERT INTO letter (letter_id, account_id, member_id, kind, language, subject_id, expires_at)
SELECT t.letter_id, $2, t.member_id, $4, t.language, t.subject_id, app.now() + make_interval(secs => $7)
FROM unnest($1::uuid[], $3::uuid[], $5::text[], $6::uuid[]) AS t (letter_id, member_id, language, subject_id)
ON CONFLICT (letter_id) DO NOTHING;
