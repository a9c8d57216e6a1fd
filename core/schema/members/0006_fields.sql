-- Attributes can be renamed without touching a member: values and facets stand under `key`, the first name, which never
-- changes; `name` is what people say. New members get a default where they bring no value. Four attributes are every
-- account's: name, locale, time_zone, tags.

ALTER TABLE attribute
    ADD COLUMN key           text,
    ADD COLUMN default_value jsonb CHECK (jsonb_typeof(default_value) <> 'null'),
    ADD COLUMN built_in      boolean NOT NULL DEFAULT false,
    ADD CHECK (NOT built_in OR name = key AND removed_at IS NULL);
UPDATE attribute SET key = name, built_in = name = 'name' AND type = 'text';
ALTER TABLE attribute ALTER COLUMN key SET NOT NULL, ADD UNIQUE (account_id, key);

-- Every name that an attribute has or had: no two attributes of an account ever meant the same word.
CREATE TABLE attribute_name (
    account_id   uuid NOT NULL,
    name         text NOT NULL,
    attribute_id uuid NOT NULL REFERENCES attribute ON DELETE CASCADE,
    PRIMARY KEY (account_id, name)
);
CREATE INDEX attribute_name_by_attribute ON attribute_name (attribute_id);
INSERT INTO attribute_name SELECT account_id, name, attribute_id FROM attribute;

-- The accounts that are there get what new ones are made with (members/built_in.py), but where they have an attribute
-- of this name already it stays theirs. A UUIDv7 of now.
WITH made AS (
    INSERT INTO attribute (attribute_id, account_id, key, name, type, protection, label, built_in)
    SELECT (lpad(to_hex((extract(epoch FROM app.now()) * 1000)::bigint), 12, '0') || '7'
            || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid,
           account_id, b.name, b.name, b.type, b.protection, b.label::jsonb, true
    FROM (SELECT DISTINCT account_id FROM keys.ring) AS a
    CROSS JOIN (VALUES ('locale', 'text', 'open', '{"ja": "言語", "en": "Language"}'),
                       ('time_zone', 'text', 'open', '{"ja": "タイムゾーン", "en": "Time zone"}'),
                       ('tags', 'tags', 'matchable', '{"ja": "タグ", "en": "Tags"}')) AS b (name, type, protection, label)
    ON CONFLICT DO NOTHING
    RETURNING account_id, name, attribute_id
)
INSERT INTO attribute_name SELECT * FROM made;

-- Names go with their attribute alone.
GRANT SELECT, INSERT ON attribute_name TO todoku_vault;
