-- name: create
WITH made AS (
    INSERT INTO template (template_id, account_id, name) VALUES ($1, $2, $3) RETURNING *
), first AS (
    INSERT INTO template_version (template_id, version, subject, preheader, html, text)
    SELECT template_id, version, $4, $5, $6, $7 FROM made RETURNING subject, preheader, html, text
), attached AS (
    INSERT INTO template_attachment (template_id, version, position, attachment_id)
    SELECT template_id, version, a.position, a.attachment_id
    FROM made, unnest($8::uuid[]) WITH ORDINALITY AS a (attachment_id, position)
)
SELECT template_id, account_id, name, version, revision, subject, preheader, html, text, $8::uuid[] AS attachments,
       created_at, updated_at
FROM made, first;

-- name: get
-- $3: a version, or null for the newest.
SELECT template_id, account_id, name, v.version, revision, subject, preheader, html, text,
       ARRAY (SELECT attachment_id FROM template_attachment a
              WHERE a.template_id = v.template_id AND a.version = v.version ORDER BY position) AS attachments,
       t.created_at, updated_at
FROM template t JOIN template_version v USING (template_id)
WHERE account_id = $1 AND template_id = $2 AND v.version = coalesce($3, t.version);

-- name: list
SELECT template_id, account_id, name, v.version, revision, subject, preheader, html, text,
       ARRAY (SELECT attachment_id FROM template_attachment a
              WHERE a.template_id = v.template_id AND a.version = v.version ORDER BY position) AS attachments,
       t.created_at, updated_at
FROM template t JOIN template_version v USING (template_id, version)
WHERE account_id = $1 AND ($2::uuid IS NULL OR template_id > $2)
ORDER BY template_id LIMIT $3;

-- name: count
SELECT count(*) FROM template WHERE account_id = $1;

-- name: change
-- A version is never changed: other words are a new one. Only the name may change without.
WITH changed AS (
    UPDATE template SET name = $4, version = version + $5::boolean::integer, revision = revision + 1,
                        updated_at = app.now()
    WHERE account_id = $1 AND template_id = $2 AND revision = $3
    RETURNING *
), added AS (
    INSERT INTO template_version (template_id, version, subject, preheader, html, text)
    SELECT template_id, version, $6, $7, $8, $9 FROM changed WHERE $5::boolean
), attached AS (
    INSERT INTO template_attachment (template_id, version, position, attachment_id)
    SELECT template_id, version, a.position, a.attachment_id
    FROM changed, unnest($10::uuid[]) WITH ORDINALITY AS a (attachment_id, position) WHERE $5::boolean
)
SELECT template_id, account_id, name, version, revision, $6 AS subject, $7 AS preheader, $8 AS html, $9 AS text,
       $10::uuid[] AS attachments, created_at, updated_at
FROM changed;
