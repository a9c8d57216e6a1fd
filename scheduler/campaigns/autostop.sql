-- name: tripped
-- $1 the reasons that make a failure a hard bounce. Looked for four times a second, so from counters alone, folded and
-- not yet folded, of those runs that are big enough to trip: neither results nor recipients are read. Test sends are
-- not watched. A quotient and no product: 29 of 100 is exactly 0.29, which 100 times 0.29 is not.
WITH watched AS MATERIALIZED (
         SELECT r.run_id, r.account_id, r.campaign_id, r.watch_from_results, r.watch_from_bounces,
                a.auto_stop_share, a.auto_stop_after
         FROM run r JOIN account a USING (account_id)
         WHERE r.state = 'running' AND r.kind = 'campaign' AND a.auto_stop
           AND r.snapshot - r.watch_from_results >= a.auto_stop_after),
     counted AS MATERIALIZED (
         SELECT run_id, sum(total) AS results,
                coalesce(sum(total) FILTER (WHERE kind = 'failed' AND detail = ANY ($1::text[])), 0) AS bounces
         FROM (SELECT run_id, kind, detail, total FROM tally
               WHERE run_id IN (SELECT run_id FROM watched) AND kind IN ('accepted', 'failed')
               UNION ALL
               SELECT run_id, kind, detail, total FROM tally_delta
               WHERE run_id IN (SELECT run_id FROM watched) AND kind IN ('accepted', 'failed')) t
         GROUP BY run_id),
     since AS MATERIALIZED (
         SELECT w.*, (c.results - w.watch_from_results)::bigint AS results,
                (c.bounces - w.watch_from_bounces)::bigint AS bounces
         FROM watched w JOIN counted c USING (run_id)
         WHERE c.results - w.watch_from_results >= w.auto_stop_after)
SELECT run_id, account_id, campaign_id, watch_from_results, auto_stop_share AS most, results, bounces
FROM since WHERE bounces::float8 / results > auto_stop_share LIMIT 100;

-- name: stop
-- $1 run, $2 from which result on it was watched when it tripped, $3 why. Of two that stop it at once one finds no row,
-- and so does whoever comes after a person has resumed it.
WITH held AS (
         UPDATE run SET state = 'pausing',
                reason = concat_ws('; ', CASE WHEN audience_state = 'failed' THEN reason END, $3::text)
         WHERE run_id = $1 AND state = 'running' AND watch_from_results = $2 RETURNING run_id),
     lanes AS (UPDATE lane SET state = 'held' FROM held WHERE lane.run_id = held.run_id)
SELECT run_id FROM held;
