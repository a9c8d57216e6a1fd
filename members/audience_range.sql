-- name: make
-- One of each a connection, kept: creating and dropping them each time would bloat the catalogue. A set has a row for
-- each of its members; audience_met has those who meet the rule, and why one of them can't be sent to.
CREATE TEMPORARY TABLE IF NOT EXISTS audience_set (member_id uuid NOT NULL, number smallint NOT NULL)
    ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS audience_met
    (member_id uuid NOT NULL, tag bigint NOT NULL, reason text, key text)
    ON COMMIT DELETE ROWS;

-- name: range_end
-- The last of the next $4 + 1 members, by the primary key alone; no row: the range ends with the account's last.
SELECT member_id FROM member
WHERE account_id = $1 AND ($2::uuid IS NULL OR member_id > $2) AND member_id <= $3
ORDER BY member_id OFFSET $4 LIMIT 1;

-- name: statuses
-- As they count now: a pause that is over is none.
INSERT INTO audience_set (member_id, number)
SELECT member_id, $4 FROM member
WHERE account_id = $1 AND ($2::uuid IS NULL OR member_id > $2) AND member_id <= $3
  AND CASE WHEN paused_until <= (SELECT app.now()) THEN 'active' ELSE status END = ANY ($5::text[]);

-- name: consents
-- $5 kind, $6 scope, $7 source, $8 after, $9 before; null: any.
INSERT INTO audience_set (member_id, number)
SELECT DISTINCT member_id, $4::smallint FROM consent
WHERE account_id = $1 AND ($2::uuid IS NULL OR member_id > $2) AND member_id <= $3 AND kind = $5
  AND ($6::text IS NULL OR scope = $6) AND ($7::text IS NULL OR source = $7)
  AND ($8::timestamptz IS NULL OR occurred_at >= $8) AND ($9::timestamptz IS NULL OR occurred_at < $9);

-- name: meet
-- $4 the rule over facets and sets, $5 what of it facets alone can tell: it spares the members that it rules out the
-- rest. $6: the topic that is written about, or null. $7 to $9: for the key of traits, as in a slice by facets alone.
-- $10: whether only who is in a set can meet it; then nobody else is asked.
INSERT INTO audience_met (member_id, tag, reason, key)
SELECT m.member_id, m.tag, m.reason,
       CASE WHEN $7::text[] IS NOT NULL AND m.reason IS NULL
            THEN app.traits(m.facets, $7, $8::text[]::jsonpath[], to_jsonb($9::text[])) END
FROM app.reach($1, $6) m
LEFT JOIN (SELECT member_id, jsonb_build_object('sets', jsonb_agg(number)) AS vars
           FROM audience_set GROUP BY member_id) x USING (member_id)
WHERE ($2::uuid IS NULL OR m.member_id > $2) AND m.member_id <= $3
  AND ($5::text IS NULL OR m.facets @@ $5::text::jsonpath)
  AND (NOT $10 OR x.member_id IS NOT NULL)
  AND jsonb_path_match(m.facets, $4::text::jsonpath, coalesce(x.vars, '{"sets": []}'), true);

-- name: met_by_reason
SELECT reason, count(*) AS total FROM audience_met GROUP BY reason;

-- name: met
SELECT member_id, tag, key FROM audience_met WHERE reason IS NULL ORDER BY member_id;

-- name: everyone
SELECT member_id FROM audience_met ORDER BY member_id;

-- name: samples
SELECT member_id FROM audience_met WHERE reason IS NULL ORDER BY member_id LIMIT $1;
