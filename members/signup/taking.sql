-- name: waiting
-- Oldest first; what another process is at is passed over.
SELECT request_id, account_id, sealed FROM signup_request
WHERE state = 'new' ORDER BY asked_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED;

-- name: members
-- LATERAL with OFFSET 0 holds the planner to index probes, as in an import. What speaks against mail is asked of the one
-- place that says so.
SELECT t.place::integer - 1 AS place, a.member_id, r.reason
FROM unnest($3::bytea[]) WITH ORDINALITY AS t (hmac, place)
CROSS JOIN LATERAL (SELECT a.member_id FROM address_index a
                    WHERE a.account_id = $1 AND a.index_version = $2 AND a.hmac = t.hmac OFFSET 0) AS a
CROSS JOIN LATERAL (SELECT reason FROM app.reach($1, NULL) r WHERE r.member_id = a.member_id OFFSET 0) AS r;

-- name: suppressed
-- Of addresses and of domains, for all mail.
SELECT hash, reason FROM suppression
WHERE account_id = $1 AND hash = ANY ($2::bytea[]) AND scope IN ('all', 'global');

-- name: asked
-- How often an address was asked for of late, and whether somebody there said that it was not they.
SELECT address_hash, count(*) FILTER (WHERE letter IS NOT NULL AND asked_at > app.now() - interval '1 hour')::int AS hour,
       count(*) FILTER (WHERE letter IS NOT NULL AND asked_at > app.now() - interval '1 day')::int AS day,
       coalesce(bool_or(state = 'disowned'), false) AS disowned
FROM signup_request WHERE account_id = $1 AND address_hash = ANY ($2::bytea[])
GROUP BY address_hash;

-- name: insert_members
WITH s AS MATERIALIZED (
    SELECT * FROM unnest($2::uuid[], $3::bytea[], $4::bigint[], $5::bytea[], $6::bytea[])
        AS t (member_id, sealed, tag, suppression_hash, wrapped)
), members AS (
    INSERT INTO member (account_id, member_id, status, sealed, tag, suppression_hash, generation)
    SELECT $1, member_id, 'pending', sealed, tag, suppression_hash, $8 FROM s
)
INSERT INTO keys.member_key (account_id, member_id, ring_version, wrapped) SELECT $1, member_id, $7, wrapped FROM s;

-- name: insert_addresses
-- No ON CONFLICT: a taken address must fail the whole batch. In order, as an import does.
INSERT INTO address_index (account_id, index_version, hmac, member_id)
SELECT $1, t.index_version, t.hmac, t.member_id
FROM unnest($2::integer[], $3::bytea[], $4::uuid[]) AS t (index_version, hmac, member_id) ORDER BY t.hmac;

-- name: decide
-- What nothing comes of keeps no content.
UPDATE signup_request r
SET state = CASE WHEN t.letter IS NULL THEN 'ended' ELSE 'lettered' END, member_id = t.member_id,
    address_hash = t.address_hash, letter = t.letter, language = t.language,
    made_member = t.made OR EXISTS (SELECT FROM signup_request e WHERE e.account_id = r.account_id
                                      AND e.member_id = t.member_id AND e.made_member),
    sealed = CASE WHEN t.letter = 'confirm' THEN sealed ELSE '' END
FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::text[], $5::text[], $6::bool[])
    AS t (request_id, member_id, address_hash, letter, language, made)
WHERE r.request_id = t.request_id;

-- name: give_up
UPDATE signup_request SET state = 'ended', sealed = '' WHERE request_id = ANY ($1::uuid[]);

-- name: lettered
SELECT request_id, account_id, member_id, letter, language FROM signup_request
WHERE state = 'lettered' ORDER BY asked_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED;

-- name: passed_on
UPDATE signup_request SET state = CASE WHEN letter = 'confirm' THEN 'waiting' ELSE 'ended' END
WHERE request_id = ANY ($1::uuid[]) AND state = 'lettered';
