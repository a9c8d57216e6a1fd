-- name: update_members
-- Returns what was updated: fewer than asked means that someone else changed or re-sealed a member since it was read.
UPDATE member m
SET sealed = t.sealed, facets = t.facets, revision = m.revision + 1, updated_at = (SELECT app.now())
FROM unnest($2::uuid[], $3::integer[], $4::integer[], $5::bytea[], $6::text[])
    AS u (member_id, revision, generation, sealed, facets_text)
CROSS JOIN LATERAL (SELECT u.sealed, u.facets_text::jsonb AS facets) AS t
WHERE m.account_id = $1 AND m.member_id = u.member_id AND m.revision = u.revision AND m.generation = u.generation;

-- name: record_joining
-- Of topics that only some of the batch join: members and scopes by position. It holds the account's chain as
-- NewMembers.record does.
WITH moment AS MATERIALIZED (
    SELECT app.now() AS now
)
INSERT INTO consent (account_id, member_id, kind, scope, source, occurred_at, recorded_at, form_version, confirmed_at)
SELECT $1, t.member_id, 'given', t.scope, $4, coalesce($5, now), now, $6, $7
FROM moment, unnest($2::uuid[], $3::text[]) AS t (member_id, scope);
