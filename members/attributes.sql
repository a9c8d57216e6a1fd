-- name: list
SELECT a.*, array(SELECT n.name FROM attribute_name n WHERE n.attribute_id = a.attribute_id AND n.name <> a.name
                  ORDER BY n.name) AS former_names
FROM attribute a
WHERE a.account_id = $1 AND a.removed_at IS NULL AND ($2::uuid IS NULL OR a.attribute_id = $2)
ORDER BY a.attribute_id;

-- name: define
-- A name that another attribute has or had is not given away, nor a removed one's while members have values of it.
WITH made AS (
    INSERT INTO attribute (attribute_id, account_id, key, name, type, protection, label, choices, required, ask_at_signup,
                           default_value, member_editable)
    SELECT $1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $12
    WHERE (SELECT count(*) FROM attribute WHERE account_id = $2 AND removed_at IS NULL) < $11
      AND NOT EXISTS (SELECT FROM attribute_name WHERE account_id = $2 AND name = $3)
    ON CONFLICT DO NOTHING
    RETURNING *
)
INSERT INTO attribute_name SELECT account_id, name, attribute_id FROM made RETURNING attribute_id;

-- name: define_built_in
WITH made AS (
    INSERT INTO attribute (attribute_id, account_id, key, name, type, protection, label, built_in)
    SELECT b.attribute_id, $1, b.key, b.key, b.type, b.protection, b.label::jsonb, true
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
        AS b (attribute_id, key, type, protection, label)
    ON CONFLICT DO NOTHING
    RETURNING account_id, name, attribute_id
)
INSERT INTO attribute_name SELECT * FROM made;

-- name: take_name
-- In the transaction of the change; returns whose the name is. Nothing comes back if it was taken at this very moment.
WITH taken AS (
    INSERT INTO attribute_name (account_id, name, attribute_id) VALUES ($1, $3, $2)
    ON CONFLICT DO NOTHING
    RETURNING attribute_id
)
SELECT attribute_id FROM taken
UNION ALL
SELECT attribute_id FROM attribute_name WHERE account_id = $1 AND name = $3;

-- name: change
-- The revision is the caller's. $11: the generation that a new protection begins with; members who have values already
-- must be brought over to it first. Behind the closed fence `used` is final.
UPDATE attribute
SET name = $4, label = $5, choices = $6, required = $7, ask_at_signup = $8, default_value = $9, protection = $10,
    member_editable = $12, revision = revision + 1, resealing = CASE WHEN protection <> $10 AND used THEN $11 ELSE resealing END
WHERE account_id = $1 AND attribute_id = $2 AND revision = $3 AND removed_at IS NULL
RETURNING attribute_id;

-- name: remove_unused
-- Its names are free again.
DELETE FROM attribute WHERE account_id = $1 AND attribute_id = $2 AND NOT used RETURNING attribute_id;

-- name: remove_used
-- $3: the generation that begins with it. The row goes once re-sealing has taken the values out of every member.
UPDATE attribute SET removed_at = app.now(), revision = revision + 1, resealing = $3
WHERE account_id = $1 AND attribute_id = $2 AND removed_at IS NULL
RETURNING attribute_id;

-- name: mark_used
-- Runs in the transaction that writes the first values, behind the fence: only a removal can have come in between.
UPDATE attribute SET used = true
WHERE account_id = $1 AND attribute_id = ANY ($2::uuid[]) AND removed_at IS NULL
RETURNING attribute_id;

-- name: segments_naming
-- By any of its names, as a rule keeps the one that it was written with. Few segments an account: their rules are read
-- whole.
SELECT DISTINCT s.name
FROM segment s, unnest($2::text[]) AS n (name)
WHERE s.account_id = $1 AND s.rule @@ ('exists($.** ? (@.attribute == ' || to_json(n.name)::text || '))')::jsonpath
ORDER BY s.name LIMIT 5;
