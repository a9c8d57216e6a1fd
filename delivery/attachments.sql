-- name: add
INSERT INTO attachment (attachment_id, account_id, name, content_type, size, sha256, content)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING attachment_id, name, content_type, size, sha256, created_at;

-- name: get
SELECT attachment_id, name, content_type, size, sha256, created_at FROM attachment
WHERE account_id = $1 AND attachment_id = $2;

-- name: list
SELECT attachment_id, name, content_type, size, sha256, created_at FROM attachment
WHERE account_id = $1 AND ($2::uuid IS NULL OR attachment_id > $2) ORDER BY attachment_id LIMIT $3;

-- name: count
SELECT count(*) FROM attachment WHERE account_id = $1;

-- name: named
SELECT attachment_id, name, content_type, size FROM attachment WHERE account_id = $1 AND attachment_id = ANY ($2::uuid[]);

-- name: content
SELECT content FROM attachment WHERE account_id = $1 AND attachment_id = $2;

-- name: contents
-- What a run's content names is of its own account: that was asked when the template was stored.
SELECT attachment_id, content FROM attachment WHERE attachment_id = ANY ($1::uuid[]);

-- name: remove
DELETE FROM attachment WHERE account_id = $1 AND attachment_id = $2
    AND NOT EXISTS (SELECT FROM template_attachment used WHERE used.attachment_id = $2)
RETURNING attachment_id;
