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
-- The revision is the caller's. $9: the generation that a new protection begins with; members who have values already
-- must be brought over to it first. Behind the closed fence `used` is final.
UPDATE attribute
SET label = $4, choices = $5, required = $6, ask_at_signup = $7, protection = $8, revision = revision + 1,
    resealing = CASE WHEN protection <> $8 AND used THEN $9 ELSE resealing END
WHERE account_id = $1 AND attribute_id = $2 AND revision = $3 AND removed_at IS NULL
RETURNING *;

-- name: remove_unused
DELETE FROM attribute WHERE account_id = $1 AND attribute_id = $2 AND NOT used RETURNING attribute_id;

-- name: remove_used
UPDATE attribute SET removed_at = app.now(), revision = revision + 1
WHERE account_id = $1 AND attribute_id = $2 AND removed_at IS NULL
RETURNING attribute_id;

-- name: mark_used
-- Runs in the transaction that writes the first values, behind the fence: only a removal can have come in between.
UPDATE attribute SET used = true
WHERE account_id = $1 AND attribute_id = ANY ($2::uuid[]) AND removed_at IS NULL
RETURNING attribute_id;

-- name: segments_naming
-- Few segments an account: their rules are read whole.
SELECT name FROM segment
WHERE account_id = $1 AND rule @@ ('exists($.** ? (@.attribute == ' || to_json($2::text)::text || '))')::jsonpath
ORDER BY name LIMIT 5;
