-- name: insert_address
-- No ON CONFLICT: a taken address must fail the whole transaction.
INSERT INTO address_index (account_id, index_version, hmac, member_id)
SELECT $1, t.index_version, t.hmac, $2
FROM unnest($3::integer[], $4::bytea[]) AS t (index_version, hmac);

-- name: suppressions
-- Of the address and of its domain, locked: what is lifted is what was seen.
SELECT hash, scope, reason, occurred_at FROM suppression
WHERE account_id = $1 AND hash = ANY ($2::bytea[]) AND scope = ANY ($3::text[]) FOR UPDATE;

-- name: lift_suppressions
DELETE FROM suppression WHERE account_id = $1 AND hash = $2 AND scope = ANY ($3::text[]);

-- name: suppress
INSERT INTO suppression (account_id, hash, reason, scope, occurred_at)
SELECT $1, $2, $3, s.scope, coalesce(s.since, app.now())
FROM unnest($4::text[], $5::timestamptz[]) AS s (scope, since)
ON CONFLICT DO NOTHING;
