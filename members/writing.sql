-- name: insert_address
-- No ON CONFLICT: a taken address must fail the whole transaction.
INSERT INTO address_index (account_id, index_version, hmac, member_id)
SELECT $1, t.index_version, t.hmac, $2
FROM unnest($3::integer[], $4::bytea[]) AS t (index_version, hmac);

-- name: consent
INSERT INTO consent (account_id, member_id, kind, source, occurred_at) VALUES ($1, $2, $3, $4, coalesce($5, app.now()));

-- name: suppression
SELECT reason, occurred_at FROM suppression WHERE account_id = $1 AND hash = $2 AND scope = 'all' FOR UPDATE;

-- name: lift_suppression
DELETE FROM suppression WHERE account_id = $1 AND hash = $2 AND scope = 'all';

-- name: suppress
INSERT INTO suppression (account_id, hash, reason, occurred_at) VALUES ($1, $2, $3, app.now())
ON CONFLICT DO NOTHING;
