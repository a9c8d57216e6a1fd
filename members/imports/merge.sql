-- name: existing
-- LATERAL with OFFSET 0 holds the planner to index probes: left to itself it hashes the whole index for each batch.
SELECT t.ord::integer - 1 AS ord, m.member_id, m.import_id, m.revision, m.generation, m.sealed, m.facets,
       k.ring_version, k.wrapped, s.seen
FROM unnest($3::bytea[]) WITH ORDINALITY AS t (hmac, ord)
CROSS JOIN LATERAL (SELECT a.member_id FROM address_index a
                    WHERE a.account_id = $1 AND a.index_version = $2 AND a.hmac = t.hmac OFFSET 0) AS a
CROSS JOIN LATERAL (SELECT * FROM member m
                    WHERE m.account_id = $1 AND m.member_id = a.member_id OFFSET 0) AS m
CROSS JOIN LATERAL (SELECT k.ring_version, k.wrapped FROM keys.member_key k
                    WHERE k.account_id = $1 AND k.member_id = a.member_id OFFSET 0) AS k
LEFT JOIN LATERAL (SELECT true AS seen FROM import_seen s
                   WHERE s.import_id = $4 AND s.member_id = a.member_id OFFSET 0) AS s ON true;

-- name: marked
-- A dry run makes no members to tell an address by: it remembers the first half of its keyed hash.
SELECT t.ord::integer - 1 AS ord
FROM unnest($2::uuid[]) WITH ORDINALITY AS t (mark, ord)
CROSS JOIN LATERAL (SELECT FROM import_seen s WHERE s.import_id = $1 AND s.member_id = t.mark OFFSET 0) AS s;

-- name: update_members
-- Returns what was updated: fewer than asked means that someone else changed or re-sealed a member since it was read.
UPDATE member m
SET sealed = t.sealed, facets = t.facets, revision = m.revision + 1, updated_at = (SELECT app.now())
FROM unnest($2::uuid[], $3::integer[], $4::integer[], $5::bytea[], $6::text[])
    AS u (member_id, revision, generation, sealed, facets_text)
CROSS JOIN LATERAL (SELECT u.sealed, u.facets_text::jsonb AS facets) AS t
WHERE m.account_id = $1 AND m.member_id = u.member_id AND m.revision = u.revision AND m.generation = u.generation;

-- name: record_consents
-- From here until the commit the account's chain is held: so it comes after all else, and not before the batch ahead has
-- committed, or that one would wait for this one and this one for it.
WITH moment AS MATERIALIZED (
    SELECT app.now() AS now
)
INSERT INTO consent (account_id, member_id, kind, scope, source, occurred_at, recorded_at, form_version, confirmed_at)
SELECT $1, m.member_id, 'given', s.scope, $4, coalesce($5, now), now, $6, $7
FROM moment, unnest($2::uuid[]) AS m (member_id), unnest($3::text[]) AS s (scope);

-- name: record_joining
-- As above, of topics that only some of the batch join: members and scopes by position.
WITH moment AS MATERIALIZED (
    SELECT app.now() AS now
)
INSERT INTO consent (account_id, member_id, kind, scope, source, occurred_at, recorded_at, form_version, confirmed_at)
SELECT $1, t.member_id, 'given', t.scope, $4, coalesce($5, now), now, $6, $7
FROM moment, unnest($2::uuid[], $3::text[]) AS t (member_id, scope);
