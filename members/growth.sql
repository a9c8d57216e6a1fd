-- name: totals
-- What each of the kinds $3 came to before each of the quarters $2, in their order: one step down the primary key for
-- each, however long the history. An array of a kind, so that 1,000 days come as 11 rows.
SELECT wanted.kind, array_agg(coalesce(before.total, 0) ORDER BY place) AS totals
FROM unnest($3::text[]) AS wanted (kind)
CROSS JOIN unnest($2::bigint[]) WITH ORDINALITY AS bound (quarter, place)
LEFT JOIN LATERAL (SELECT total FROM growth g
                   WHERE g.account_id = $1 AND g.kind = wanted.kind AND g.quarter < bound.quarter
                   ORDER BY g.quarter DESC LIMIT 1) before ON true
GROUP BY wanted.kind;

-- name: not_yet_folded
-- $2 as above: 0 for what came before its first, and nothing that came after its last.
SELECT kind, width_bucket(quarter, $2::bigint[]) AS place, sum(count)::bigint AS count
FROM growth_delta
WHERE account_id = $1 AND quarter < ($2::bigint[])[cardinality($2::bigint[])]
GROUP BY kind, place;
