-- The run's row is changed first and its lane's second, everywhere: one order, no deadlock.
-- A test run has no campaign's state and can't be steered.

-- name: newest
SELECT run_id, state, resume_at IS NOT NULL AS suspended FROM run WHERE account_id = $1 AND campaign_id = $2 AND kind = 'campaign'
ORDER BY run_id DESC LIMIT 1;

-- name: pause
-- $2 in how many seconds it goes on by itself, or null for not before somebody says so. A person's word replaces what a
-- suspension had said; the reason of a stop that has no end stays.
WITH held AS (
         UPDATE run SET state = CASE state WHEN 'running' THEN 'pausing' ELSE state END,
                resume_at = app.now() + make_interval(secs => $2),
                reason = CASE WHEN audience_state = 'failed' OR resume_at IS NULL THEN reason END
         WHERE run_id = $1 AND state IN ('running', 'pausing', 'paused') RETURNING run_id),
     lanes AS (UPDATE lane SET state = 'held' FROM held WHERE lane.run_id = held.run_id)
SELECT run_id FROM held;

-- name: resume
-- $2 the reasons that make a failure a hard bounce. Whoever resumes has seen the figures: they are watched anew from here.
-- Its virtual time moves up to the others': what it missed while it was held is not made up for at their cost.
-- What waits for its site waits since now: the time in which nobody was allowed to send expires no message.
WITH counted AS MATERIALIZED (
         SELECT coalesce(sum(total) FILTER (WHERE kind IN ('accepted', 'failed')), 0) AS results,
                coalesce(sum(total) FILTER (WHERE kind = 'failed' AND detail = ANY ($2::text[])), 0)
                + coalesce(sum(people) FILTER (WHERE kind = 'bounce' AND detail = 'hard'), 0) AS bounces,
                coalesce(sum(total) FILTER (WHERE kind = 'accepted'), 0) AS accepted,
                coalesce(sum(people) FILTER (WHERE kind = 'complaint'), 0) AS complaints
         FROM (SELECT kind, detail, total, people FROM tally WHERE run_id = $1
               UNION ALL
               SELECT kind, detail, total, people FROM tally_delta WHERE run_id = $1) t),
     running AS (
         UPDATE run SET state = 'running', resume_at = NULL,
                reason = CASE WHEN audience_state = 'failed' THEN reason END,
                watch_from_results = counted.results, watch_from_bounces = counted.bounces,
                watch_from_accepted = counted.accepted, watch_from_complaints = counted.complaints
         FROM counted WHERE run_id = $1 AND state IN ('paused', 'pausing') RETURNING run_id),
     waited AS (
         UPDATE chunk SET held_since = app.now() FROM running
         WHERE chunk.run_id = running.run_id AND chunk.state = 'ready' AND chunk.held_since IS NOT NULL),
     lanes AS (
         UPDATE lane SET state = 'running', vtime = greatest(vtime, app.least_vtime(pool))
         FROM running WHERE lane.run_id = running.run_id)
SELECT run_id FROM running;

-- name: resume_due
-- Suspensions that are over. Nobody has looked at the figures, so they are watched on from where they were.
WITH due AS MATERIALIZED (
         SELECT run_id FROM run WHERE resume_at <= (SELECT app.now()) AND state IN ('paused', 'pausing')
         ORDER BY resume_at LIMIT 200 FOR NO KEY UPDATE SKIP LOCKED),
     running AS (
         UPDATE run SET state = 'running', resume_at = NULL,
                reason = CASE WHEN audience_state = 'failed' THEN reason END
         FROM due WHERE run.run_id = due.run_id RETURNING run.run_id),
     waited AS (
         UPDATE chunk SET held_since = app.now() FROM running
         WHERE chunk.run_id = running.run_id AND chunk.state = 'ready' AND chunk.held_since IS NOT NULL),
     lanes AS (
         UPDATE lane SET state = 'running', vtime = greatest(vtime, app.least_vtime(pool))
         FROM running WHERE lane.run_id = running.run_id)
SELECT run_id FROM running;

-- name: cancel
-- What has not begun ends at once; the rest when nothing of it is under way.
WITH ending AS (
         UPDATE run SET state = CASE state WHEN 'scheduled' THEN 'cancelled' ELSE 'cancelling' END,
                finished_at = CASE state WHEN 'scheduled' THEN app.now() END, resume_at = NULL
         WHERE run_id = $1 AND state IN ('scheduled', 'running', 'pausing', 'paused') RETURNING run_id, state),
     lanes AS (
         UPDATE lane SET state = CASE ending.state WHEN 'cancelled' THEN 'closed' ELSE 'held' END
         FROM ending WHERE lane.run_id = ending.run_id)
SELECT run_id FROM ending;

-- name: settle
-- $1 one run, or null for all. Pausing and cancelling are final once no chunk is leased: intents live only within
-- leased chunks, and a run that is not running is given neither. Nothing left to do when pausing means finished.
-- Chunks of a cancelled run are ended, so that no index keeps them; those that a claim is just giving back may stay.
WITH still AS MATERIALIZED (
         SELECT run_id,
                CASE WHEN state = 'cancelling' THEN 'cancelled'
                     WHEN audience_state IN ('whole', 'failed')
                          AND NOT EXISTS (SELECT FROM chunk WHERE chunk.run_id = run.run_id AND chunk.state <> 'done')
                     THEN 'finished'
                     ELSE 'paused' END AS becomes
         FROM run
         WHERE state IN ('pausing', 'cancelling') AND ($1::uuid IS NULL OR run_id = $1)
           AND NOT EXISTS (SELECT FROM chunk WHERE chunk.run_id = run.run_id AND chunk.state = 'leased')
         LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED),
     settled AS (
         UPDATE run SET state = still.becomes,
                finished_at = CASE WHEN still.becomes <> 'paused' THEN app.now() END,
                resume_at = CASE WHEN still.becomes = 'paused' THEN run.resume_at END
         FROM still WHERE run.run_id = still.run_id RETURNING run.run_id, run.state, run.kind),
     lanes AS (
         UPDATE lane SET state = 'closed' FROM settled
         WHERE lane.run_id = settled.run_id AND settled.state <> 'paused'),
     left_over AS (
         SELECT chunk_id FROM chunk JOIN settled USING (run_id)
         WHERE settled.state = 'cancelled' AND chunk.state = 'ready' FOR NO KEY UPDATE OF chunk SKIP LOCKED),
     ended AS (UPDATE chunk SET state = 'done' FROM left_over WHERE chunk.chunk_id = left_over.chunk_id)
SELECT run_id, state, kind FROM settled;

-- name: state
SELECT state FROM run WHERE run_id = $1;
