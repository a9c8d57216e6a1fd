-- name: runs
SELECT run_id, state FROM run WHERE account_id = $1 AND campaign_id = $2 AND kind = 'campaign' ORDER BY run_id;

-- name: by_trait
-- $1 runs, $2 dimension, $3 an attribute's key or ''. Trait 0 is of no name, and `other` in each. Folded and not yet folded
-- in one statement, so in one snapshot.
SELECT n.run_id, coalesce(t.part, 'other') AS part, t.value, n.kind, n.detail, sum(n.total)::bigint AS total,
       sum(n.people)::bigint AS people
FROM (SELECT run_id, value AS no, kind, detail, total, people FROM breakdown
      WHERE run_id = ANY ($1::uuid[]) AND dimension = 'trait'
      UNION ALL
      SELECT run_id, value, kind, detail, total, people FROM breakdown_delta
      WHERE run_id = ANY ($1::uuid[]) AND dimension = 'trait') n
LEFT JOIN trait t ON t.run_id = n.run_id AND t.no = n.no AND t.dimension = $2 AND t.name = $3
WHERE n.no = 0 OR t.no IS NOT NULL
GROUP BY 1, 2, 3, 4, 5;

-- name: uncertain
-- As a campaign's report counts them (reports.sql), by trait: few, so that each one's look-up is no matter.
SELECT u.run_id, coalesce(t.part, 'other') AS part, t.value, count(*) AS total
FROM result u
CROSS JOIN LATERAL app.traits_of(u.run_id, u.seq) x
LEFT JOIN trait t ON t.run_id = u.run_id AND t.no = x.trait AND t.dimension = $2 AND t.name = $3
WHERE u.run_id = ANY ($1::uuid[]) AND u.outcome = 'uncertain' AND (x.trait = 0 OR t.no IS NOT NULL)
  AND NOT EXISTS (SELECT FROM intent later WHERE later.run_id = u.run_id AND later.seq = u.seq AND later.try > u.try)
  AND NOT EXISTS (SELECT FROM omission o WHERE o.run_id = u.run_id AND o.seq = u.seq)
GROUP BY 1, 2, 3;
