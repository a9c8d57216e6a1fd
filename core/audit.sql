-- name: record
INSERT INTO audit (audit_id, account_id, actor, action, object, detail) VALUES ($1, $2, $3, $4, $5, $6);

-- name: newest
-- $2 the id that the page before ended with, $3 an action, or null. Walks one index backwards: a rare action costs a
-- walk over the account's log, which is short beside all else.
SELECT audit_id, actor, action, object, detail, occurred_at FROM audit
WHERE account_id = $1 AND ($2::uuid IS NULL OR audit_id < $2) AND ($3::text IS NULL OR action = $3)
ORDER BY audit_id DESC LIMIT $4;

-- name: forget
SELECT app.forget_audit($1);
