-- name: create
INSERT INTO member_group (group_id, account_id, name) VALUES ($1, $2, $3) RETURNING group_id, name, created_at;

-- name: list
SELECT group_id, name, created_at FROM member_group WHERE account_id = $1 ORDER BY group_id;

-- name: names
SELECT group_id, name FROM member_group WHERE account_id = $1;

-- name: get
SELECT group_id, name, created_at FROM member_group WHERE account_id = $1 AND group_id = $2;

-- name: rename
UPDATE member_group SET name = $3 WHERE account_id = $1 AND group_id = $2 RETURNING group_id, name, created_at;

-- name: known
-- FOR KEY SHARE: a group can't be removed under members that are just being put into it.
SELECT group_id FROM member_group WHERE account_id = $1 AND group_id = ANY ($2::uuid[]) FOR KEY SHARE;

-- name: remove
DELETE FROM member_group WHERE account_id = $1 AND group_id = $2 RETURNING group_id;

-- name: add_members
UPDATE member
SET facets = jsonb_set(facets, '{groups}', coalesce(facets -> 'groups', '[]') || to_jsonb($3::text)),
    revision = revision + 1, updated_at = app.now()
WHERE account_id = $1 AND member_id = ANY ($2::uuid[])
  AND NOT coalesce(facets -> 'groups', '[]') ? $3::text;

-- name: remove_members
-- An empty array is dropped, as a member without groups has none.
UPDATE member
SET facets = CASE WHEN facets -> 'groups' = jsonb_build_array($3::text) THEN facets - 'groups'
                  ELSE jsonb_set(facets, '{groups}', (facets -> 'groups') - $3::text) END,
    revision = revision + 1, updated_at = app.now()
WHERE account_id = $1 AND member_id = ANY ($2::uuid[])
  AND coalesce(facets -> 'groups', '[]') ? $3::text;

-- name: some_members
-- Walks the facet index; a group is emptied in steps, so that no statement runs long.
SELECT member_id FROM member
WHERE account_id = $1 AND facets @@ ('$.groups[*] == ' || to_json($2::text)::text)::jsonpath
LIMIT 5000;

-- name: segments_naming
SELECT name FROM segment
WHERE account_id = $1 AND rule @@ ('exists($.** ? (@.group == ' || to_json($2::text)::text || '))')::jsonpath
ORDER BY name LIMIT 5;
