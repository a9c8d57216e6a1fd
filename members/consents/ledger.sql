-- name: record
INSERT INTO consent (account_id, member_id, kind, scope, source, occurred_at, form_version, confirmed_at, commitment)
SELECT $1, $2, t.kind, t.scope, t.source, coalesce(t.occurred_at, app.now()), t.form_version, t.confirmed_at, t.commitment
FROM unnest($3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::timestamptz[], $9::bytea[])
    AS t (kind, scope, source, occurred_at, form_version, confirmed_at, commitment);

-- name: stands
-- The order of events, not of records: a withdrawal may be carried in late.
SELECT member_id FROM (
    SELECT DISTINCT ON (member_id) member_id, kind FROM consent
    WHERE account_id = $1 AND member_id = ANY ($2::uuid[]) AND scope = 'all'
    ORDER BY member_id, occurred_at DESC, recorded_at DESC
) AS last
WHERE kind = 'given';

-- name: of_member
SELECT c.kind, c.scope, c.source, c.form_version, c.occurred_at, c.recorded_at, c.confirmed_at, c.commitment, e.sealed,
       l.no AS link
FROM consent c
JOIN consent_link l USING (account_id, batch)
LEFT JOIN consent_evidence e USING (account_id, member_id, commitment)
WHERE c.account_id = $1 AND c.member_id = $2
ORDER BY c.occurred_at, c.recorded_at, c.scope;
