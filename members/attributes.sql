-- name: list
SELECT * FROM attribute WHERE account_id = $1 AND removed_at IS NULL ORDER BY attribute_id;

-- name: get
SELECT * FROM attribute WHERE account_id = $1 AND attribute_id = $2 AND removed_at IS NULL;

-- name: define
-- A removed attribute of the same name and type comes back to life with its old values; one of another type stays in
-- the way, as those values would not fit.
INSERT INTO attribute (attribute_id, account_id, name, type, protection, label, choices, required, ask_at_signup)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
WHERE (SELECT count(*) FROM attribute WHERE account_id = $2 AND removed_at IS NULL) < $10
ON CONFLICT (account_id, name) DO UPDATE
SET removed_at = NULL, label = excluded.label, choices = excluded.choices, required = excluded.required,
    ask_at_signup = excluded.ask_at_signup, revision = attribute.revision + 1
WHERE attribute.removed_at IS NOT NULL
  AND attribute.type = excluded.type AND attribute.protection = excluded.protection
RETURNING *;

-- name: define_built_in
INSERT INTO attribute (attribute_id, account_id, name, type, protection, label)
VALUES ($1, $2, 'name', 'text', 'sealed', '{"ja": "氏名", "en": "Name"}')
ON CONFLICT DO NOTHING;

-- name: change
-- The revision is the caller's; `used` is asked once more here, as a first value may have come in the meantime.
UPDATE attribute
SET label = $4, choices = $5, required = $6, ask_at_signup = $7, protection = $8, revision = revision + 1
WHERE account_id = $1 AND attribute_id = $2 AND revision = $3 AND removed_at IS NULL
  AND (protection = $8 OR NOT used)
RETURNING *;

-- name: remove_unused
DELETE FROM attribute WHERE account_id = $1 AND attribute_id = $2 AND NOT used RETURNING attribute_id;

-- name: remove_used
UPDATE attribute SET removed_at = app.now(), revision = revision + 1
WHERE account_id = $1 AND attribute_id = $2 AND removed_at IS NULL
RETURNING attribute_id;

-- name: mark_used
-- Runs in the transaction that writes the first values: returns only those whose protection is still what the
-- writer's facets were made by, so that a change between its reading and its writing is noticed.
UPDATE attribute SET used = true
FROM unnest($2::uuid[], $3::text[]) AS seen (attribute_id, protection)
WHERE attribute.account_id = $1 AND attribute.attribute_id = seen.attribute_id
  AND attribute.protection = seen.protection AND attribute.removed_at IS NULL
RETURNING attribute.attribute_id;

-- name: segments_naming
-- Few segments an account: their rules are read whole.
SELECT name FROM segment
WHERE account_id = $1 AND rule @@ ('exists($.** ? (@.attribute == ' || to_json($2::text)::text || '))')::jsonpath
ORDER BY name LIMIT 5;
