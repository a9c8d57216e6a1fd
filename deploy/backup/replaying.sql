-- name: is_main
-- Which of the two databases it is that is to be read from: the main one knows stops, the members' all else.
SELECT to_regclass('public.stop') IS NOT NULL;

-- name: erasures
SELECT account_id, member_id, erased_at FROM erased;

-- name: stops
SELECT account_id, member_id, scope, reason, occurred_at FROM stop WHERE lifted_at IS NULL;

-- name: suppressions
SELECT account_id, hash, scope, reason, occurred_at FROM suppression;

-- name: global_suppressions
SELECT hash, reason, occurred_at FROM global_suppression;

-- name: erase
-- As an erasure does it: key, index and row go, the suppression hash stays.
WITH gone AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t (account_id, member_id, erased_at)),
     key AS (DELETE FROM keys.member_key k USING gone g
             WHERE k.account_id = g.account_id AND k.member_id = g.member_id),
     indexed AS (DELETE FROM address_index i USING gone g
                 WHERE i.account_id = g.account_id AND i.member_id = g.member_id),
     tombstone AS (INSERT INTO erased (account_id, member_id, erased_at) SELECT * FROM gone ON CONFLICT DO NOTHING),
     member AS (DELETE FROM member m USING gone g WHERE m.account_id = g.account_id AND m.member_id = g.member_id
                RETURNING m.account_id, m.suppression_hash, g.erased_at),
     suppressed AS (INSERT INTO suppression (account_id, hash, reason, occurred_at)
                    SELECT account_id, suppression_hash, 'erased', erased_at FROM member ON CONFLICT DO NOTHING)
SELECT count(*) FROM member;

-- name: stop
-- Not carried yet: housekeeping carries it on into the vault, as it would a new one.
WITH added AS (
         INSERT INTO stop (account_id, member_id, scope, reason, occurred_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
         ON CONFLICT DO NOTHING RETURNING 1)
SELECT count(*) FROM added;

-- name: suppress
WITH added AS (
         INSERT INTO suppression (account_id, hash, scope, reason, occurred_at)
         SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::timestamptz[])
         ON CONFLICT DO NOTHING RETURNING 1)
SELECT count(*) FROM added;

-- name: suppress_globally
WITH added AS (
         INSERT INTO global_suppression (hash, reason, occurred_at)
         SELECT * FROM unnest($1::bytea[], $2::text[], $3::timestamptz[])
         ON CONFLICT DO NOTHING RETURNING 1)
SELECT count(*) FROM added;
