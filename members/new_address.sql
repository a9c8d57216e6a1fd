-- name: propose
INSERT INTO new_address (account_id, member_id, sealed, tag) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id, member_id) DO UPDATE SET sealed = excluded.sealed, tag = excluded.tag, asked_at = app.now();

-- name: proposed
SELECT n.member_id, n.sealed, k.ring_version, k.wrapped
FROM new_address n JOIN keys.member_key k USING (account_id, member_id)
WHERE n.account_id = $1 AND n.member_id = ANY ($2::uuid[]);

-- name: withdraw
DELETE FROM new_address WHERE account_id = $1 AND member_id = $2;
