-- name: oldest
-- Walks the primary key from the cursor on. A pause that is over is none: such a member is active.
SELECT m.*, k.ring_version, k.wrapped, clock.now
FROM (SELECT app.now() AS now) AS clock
CROSS JOIN member m
JOIN keys.member_key k USING (account_id, member_id)
WHERE m.account_id = $1 AND m.member_id > $2 AND m.member_id < $3
  AND ($4::text IS NULL OR CASE WHEN m.paused_until <= clock.now THEN 'active' ELSE m.status END = $4)
  AND ($5::text IS NULL OR m.facets @@ $5::text::jsonpath)
  AND ($6::timestamptz IS NULL OR m.created_at >= $6)
ORDER BY m.member_id
LIMIT $7;

-- name: newest
-- The same walk backwards.
SELECT m.*, k.ring_version, k.wrapped, clock.now
FROM (SELECT app.now() AS now) AS clock
CROSS JOIN member m
JOIN keys.member_key k USING (account_id, member_id)
WHERE m.account_id = $1 AND m.member_id > $2 AND m.member_id < $3
  AND ($4::text IS NULL OR CASE WHEN m.paused_until <= clock.now THEN 'active' ELSE m.status END = $4)
  AND ($5::text IS NULL OR m.facets @@ $5::text::jsonpath)
  AND ($6::timestamptz IS NULL OR m.created_at >= $6)
ORDER BY m.member_id DESC
LIMIT $7;

-- name: count
-- No order, so that Postgres may use all of its cores.
SELECT count(*)
FROM (SELECT app.now() AS now) AS clock
CROSS JOIN member m
WHERE m.account_id = $1 AND m.member_id > $2 AND m.member_id < $3
  AND ($4::text IS NULL OR CASE WHEN m.paused_until <= clock.now THEN 'active' ELSE m.status END = $4)
  AND ($5::text IS NULL OR m.facets @@ $5::text::jsonpath)
  AND ($6::timestamptz IS NULL OR m.created_at >= $6);

-- name: some
SELECT m.*, k.ring_version, k.wrapped, app.now() AS now
FROM member m
JOIN keys.member_key k USING (account_id, member_id)
WHERE m.account_id = $1 AND m.member_id = ANY ($2::uuid[])
ORDER BY m.member_id;
