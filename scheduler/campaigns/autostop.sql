-- name: tripped
-- $1 the reasons that make a failure a hard bounce. Looked for four times a second, so from counters alone, folded and
-- not yet folded, of those runs that are big enough to trip: neither results nor recipients are read. Test sends are
-- not watched. A quotient and no product: 29 of 100 is exactly 0.29, which 100 times 0.29 is not.
-- Bounces that came by mail count as those said at once do, each recipient once; complaints by the accepted.
WITH watched AS MATERIALIZED (
         SELECT r.run_id, r.account_id, r.campaign_id, r.watch_from_results, r.watch_from_bounces,
                r.watch_from_accepted, r.watch_from_complaints, a.auto_stop_share, a.auto_stop_complaints, a.auto_stop_after
         FROM run r JOIN account a USING (account_id)
         WHERE r.state = 'running' AND r.kind = 'campaign' AND a.auto_stop
           AND r.snapshot - r.watch_from_results >= a.auto_stop_after),
     counted AS MATERIALIZED (
         SELECT run_id, coalesce(sum(total) FILTER (WHERE kind IN ('accepted', 'failed')), 0) AS results,
                coalesce(sum(total) FILTER (WHERE kind = 'failed' AND detail = ANY ($1::text[])), 0)
                + coalesce(sum(people) FILTER (WHERE kind = 'bounce' AND detail = 'hard'), 0) AS bounces,
                coalesce(sum(total) FILTER (WHERE kind = 'accepted'), 0) AS accepted,
                coalesce(sum(people) FILTER (WHERE kind = 'complaint'), 0) AS complaints
         FROM (SELECT run_id, kind, detail, total, people FROM tally
               WHERE run_id IN (SELECT run_id FROM watched) AND kind IN ('accepted', 'failed', 'bounce', 'complaint')
               UNION ALL
               SELECT run_id, kind, detail, total, people FROM tally_delta
               WHERE run_id IN (SELECT run_id FROM watched) AND kind IN ('accepted', 'failed', 'bounce', 'complaint')) t
         GROUP BY run_id),
     since AS MATERIALIZED (
         SELECT w.*, (c.results - w.watch_from_results)::bigint AS results,
                (c.bounces - w.watch_from_bounces)::bigint AS bounces,
                (c.accepted - w.watch_from_accepted)::bigint AS accepted,
                (c.complaints - w.watch_from_complaints)::bigint AS complaints
         FROM watched w JOIN counted c USING (run_id)
         WHERE c.results - w.watch_from_results >= w.auto_stop_after)
SELECT run_id, account_id, campaign_id, watch_from_results, auto_stop_share AS most,
       auto_stop_complaints AS most_complaints, results, bounces, accepted, complaints
FROM since
WHERE bounces::float8 / results > auto_stop_share OR complaints::float8 / nullif(accepted, 0) > auto_stop_complaints
LIMIT 100;

-- name: stop
-- $1 run, $2 from which result on it was watched when it tripped, $3 why. Of two that stop it at once one finds no row,
-- and so does whoever comes after a person has resumed it.
WITH held AS (
         UPDATE run SET state = 'pausing',
                reason = concat_ws('; ', CASE WHEN audience_state = 'failed' THEN reason END, $3::text)
         WHERE run_id = $1 AND state = 'running' AND watch_from_results = $2 RETURNING run_id),
     lanes AS (UPDATE lane SET state = 'held' FROM held WHERE lane.run_id = held.run_id)
SELECT run_id FROM held;
