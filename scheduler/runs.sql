-- name: get
-- Letters' runs are no campaign's: they are not shown.
SELECT * FROM run WHERE account_id = $1 AND run_id = $2 AND kind <> 'letter';

-- name: list
-- In the order of their making; $2 a campaign, or null for all; $3 the last id of the page before.
SELECT * FROM run
WHERE account_id = $1 AND ($2::uuid IS NULL OR campaign_id = $2) AND ($3::uuid IS NULL OR run_id > $3) AND kind <> 'letter'
ORDER BY run_id LIMIT $4;

-- name: counts
-- Folded tallies and those not folded yet; what is uncertain is counted where it stands, since a late true result
-- replaces it (and once its rows are gone, in a tally). An uncertain try that was followed by another is not the last word on its recipient.
SELECT run_id, kind, detail, sum(total)::bigint AS total
FROM (SELECT run_id, kind, detail, total FROM tally
      WHERE run_id = ANY ($1::uuid[]) AND kind IN ('accepted', 'failed', 'suppressed', 'uncertain')
      UNION ALL
      SELECT run_id, kind, detail, total FROM tally_delta
      WHERE run_id = ANY ($1::uuid[]) AND kind IN ('accepted', 'failed', 'suppressed', 'uncertain')) t
GROUP BY run_id, kind, detail
UNION ALL
SELECT r.run_id, 'uncertain', '', count(*)
FROM result r
WHERE r.run_id = ANY ($1::uuid[]) AND r.outcome = 'uncertain'
  AND NOT EXISTS (SELECT FROM intent later WHERE later.run_id = r.run_id AND later.seq = r.seq AND later.try > r.try)
GROUP BY r.run_id;

-- name: deliveries
-- One row a recipient, in order of sequence numbers after $2: its last try that was begun, or why it was left out.
SELECT r.seq, r.member_id, coalesce(h.tries, 0)::integer AS tries, h.outcome, h.code, h.reason, h.detail, h.at,
       o.reason AS omitted, o.at AS omitted_at
FROM recipient r
LEFT JOIN LATERAL (
    SELECT count(*) OVER () AS tries, s.outcome::text AS outcome, s.code, s.reason, s.detail, coalesce(s.at, i.at) AS at
    FROM intent i LEFT JOIN result s USING (run_id, seq, try)
    WHERE i.run_id = $1 AND i.seq = r.seq AND s.outcome IS DISTINCT FROM 'released'
    ORDER BY i.try DESC LIMIT 1) h ON true
LEFT JOIN omission o ON o.run_id = $1 AND o.seq = r.seq
WHERE r.run_id = $1 AND r.seq > $2
ORDER BY r.seq LIMIT $3;

-- name: uncertain_deliveries
-- As above, those alone whose last try is uncertain: found by the partial index, however long the run is.
SELECT r.seq, r.member_id, s.try::integer AS tries, s.outcome::text AS outcome, s.code, s.reason, s.detail, s.at,
       NULL::text AS omitted, NULL::timestamptz AS omitted_at
FROM result s JOIN recipient r USING (run_id, seq)
WHERE s.run_id = $1 AND s.outcome = 'uncertain' AND s.seq > $2
  AND NOT EXISTS (SELECT FROM intent later WHERE later.run_id = s.run_id AND later.seq = s.seq AND later.try > s.try)
ORDER BY s.seq LIMIT $3;
