-- name: spans
-- $2, $3: quarters from the one and before the other; $4 the quarters at which spans begin. Folded and not yet folded in one
-- statement, so in one snapshot.
SELECT width_bucket(quarter, $4::bigint[]) - 1 AS span, kind, sum(count)::bigint AS count
FROM (SELECT quarter, kind, count FROM growth WHERE account_id = $1 AND quarter >= $2 AND quarter < $3
      UNION ALL
      SELECT quarter, kind, count FROM growth_delta WHERE account_id = $1 AND quarter >= $2 AND quarter < $3) n
GROUP BY span, kind;

-- name: active_before
-- By the primary key: of one kind, from the first on.
SELECT coalesce(sum(count), 0)::bigint
FROM (SELECT count FROM growth WHERE account_id = $1 AND kind = 'active' AND quarter < $2
      UNION ALL
      SELECT count FROM growth_delta WHERE account_id = $1 AND kind = 'active' AND quarter < $2) n;
