-- name: get
-- An account is there before it has said anything of itself.
SELECT a.account_id, a.name AS account_name, b.name, b.language, b.accent, b.accent_dark, b.logo, b.postal_address,
       b.contact, b.links, b.texts, b.sender_id, b.signup_open, b.revision
FROM account a LEFT JOIN branding b USING (account_id)
WHERE a.account_id = $1;

-- name: knows
SELECT EXISTS (SELECT FROM sender WHERE account_id = $1 AND sender_id = $2);

-- name: change
-- Only the revision that was read; 1 is that of an account without a row: whoever comes second finds the other's.
INSERT INTO branding AS b (account_id, name, language, accent, accent_dark, logo, postal_address, contact, links, texts,
                           sender_id, signup_open)
SELECT $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
WHERE $2::integer = 1 OR EXISTS (SELECT FROM branding WHERE account_id = $1 AND revision = $2)
ON CONFLICT (account_id) DO UPDATE
    SET name = excluded.name, language = excluded.language, accent = excluded.accent, accent_dark = excluded.accent_dark,
        logo = excluded.logo, postal_address = excluded.postal_address, contact = excluded.contact,
        links = excluded.links, texts = excluded.texts, sender_id = excluded.sender_id,
        signup_open = excluded.signup_open, revision = b.revision + 1
    WHERE b.revision = $2
RETURNING revision;

-- name: keep_wording
INSERT INTO consent_wording (account_id, version, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: wording
SELECT content FROM consent_wording WHERE account_id = $1 AND version = $2;

-- name: ping
SELECT 1;
