-- name: site
SELECT site_id, provider FROM site WHERE digest = $1;

-- name: an_account
-- Any will do: the key is the installation's, and each account's ring has it.
SELECT account_id FROM account ORDER BY account_id LIMIT 1;
