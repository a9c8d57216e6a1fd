-- name: create
INSERT INTO topic (topic_id, account_id, name, label) VALUES ($1, $2, $3, $4)
RETURNING topic_id, name, label, revision, created_at;

-- name: list
SELECT topic_id, name, label, revision, created_at FROM topic WHERE account_id = $1 ORDER BY topic_id;

-- name: ids
-- Without order: to know one by.
SELECT topic_id FROM topic WHERE account_id = $1;

-- name: get
SELECT topic_id, name, label, revision, created_at FROM topic WHERE account_id = $1 AND topic_id = $2;

-- name: change
UPDATE topic SET name = $4, label = $5, revision = revision + 1
WHERE account_id = $1 AND topic_id = $2 AND revision = $3
RETURNING topic_id, name, label, revision, created_at;

-- name: known
-- FOR KEY SHARE: a topic can't be removed under members that are just joining it.
SELECT topic_id FROM topic WHERE account_id = $1 AND topic_id = ANY ($2::uuid[]) FOR KEY SHARE;

-- name: remove
DELETE FROM topic WHERE account_id = $1 AND topic_id = $2 RETURNING topic_id;

-- name: some_members
-- Walks the facet index; a topic is emptied in steps, so that no statement runs long.
SELECT member_id FROM member
WHERE account_id = $1 AND facets @@ ('$.topics[*] == ' || to_json($2::text)::text)::jsonpath
LIMIT 5000;

-- name: take_out_members
-- An empty array is dropped, as a member without topics has none.
UPDATE member
SET facets = CASE WHEN facets -> 'topics' = jsonb_build_array($3::text) THEN facets - 'topics'
                  ELSE jsonb_set(facets, '{topics}', (facets -> 'topics') - $3::text) END,
    revision = revision + 1, updated_at = app.now()
WHERE account_id = $1 AND member_id = ANY ($2::uuid[])
  AND coalesce(facets -> 'topics', '[]') ? $3::text;

-- name: segments_naming
SELECT name FROM segment
WHERE account_id = $1 AND rule @@ ('exists($.** ? (@.topic == ' || to_json($2::text)::text || '))')::jsonpath
ORDER BY name LIMIT 5;
