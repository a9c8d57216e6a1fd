-- name: create
-- Repeatable: the account that has the name already is returned.
WITH made AS (
    INSERT INTO account (account_id, name) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING
    RETURNING account_id, name, created_at
)
SELECT account_id, name, created_at, true AS is_new FROM made
UNION ALL
SELECT account_id, name, created_at, false FROM account WHERE name = $2 AND NOT EXISTS (SELECT FROM made);

-- name: list
SELECT account_id, name, created_at, false AS is_new FROM account ORDER BY account_id;

-- name: get
SELECT account_id, name, created_at, false AS is_new FROM account WHERE name = $1;

-- name: has_keys
SELECT EXISTS (SELECT FROM api_key WHERE account_id = $1);
