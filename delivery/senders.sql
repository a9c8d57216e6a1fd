-- name: create
INSERT INTO sender (sender_id, account_id, name, address, reply_to, postal_address, contact, domain)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING *;

-- name: get
SELECT * FROM sender WHERE account_id = $1 AND sender_id = $2;

-- name: list
SELECT * FROM sender WHERE account_id = $1 AND ($2::uuid IS NULL OR sender_id > $2) ORDER BY sender_id LIMIT $3;

-- name: count
SELECT count(*) FROM sender WHERE account_id = $1;

-- name: change
-- The revision in the WHERE makes a lost update impossible; whoever comes second finds no row.
UPDATE sender SET name = $4, address = $5, reply_to = $6, postal_address = $7, contact = $8, domain = $9,
                  revision = revision + 1
WHERE account_id = $1 AND sender_id = $2 AND revision = $3
RETURNING *;

-- name: add_keys
-- Two senders of one domain may be made at once: a domain has one pair of keys, the first that is stored.
INSERT INTO signing_key (account_id, domain, selector, algorithm, sealed, public)
SELECT $1, $2, k.selector, k.algorithm, k.sealed, k.public
FROM unnest($3::text[], $4::text[], $5::bytea[], $6::bytea[]) AS k (selector, algorithm, sealed, public)
WHERE NOT EXISTS (SELECT FROM signing_key WHERE account_id = $1 AND domain = $2);

-- name: lock_domain
SELECT pg_advisory_xact_lock(hashtextextended($1::uuid || ' ' || $2::text, 741002));

-- name: all_keys
SELECT account_id, domain, selector, sealed FROM signing_key;

-- name: rewrap
UPDATE signing_key SET sealed = $4 WHERE account_id = $1 AND selector = $2 AND sealed = $3;

-- name: has_keys
SELECT EXISTS (SELECT FROM signing_key WHERE account_id = $1 AND domain = $2);

-- name: keys
SELECT selector, algorithm, sealed, public FROM signing_key WHERE account_id = $1 AND domain = $2
ORDER BY algorithm DESC;
