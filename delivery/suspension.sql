-- name: suspend_run
-- $1 run, $2 seconds, $3 why. The run's row first and its lane's second, as in steering. A running one pauses; one that
-- is suspended already stays so at least that long; a pause that a person has asked for is theirs to end. A test run
-- can't be steered. Why an audience could not be had is kept, for nobody else bears it.
WITH held AS (
         UPDATE run SET state = CASE state WHEN 'running' THEN 'pausing' ELSE state END,
                resume_at = greatest(resume_at, app.now() + make_interval(secs => $2)),
                reason = CASE WHEN audience_state = 'failed' THEN reason ELSE $3 END
         WHERE run_id = $1 AND kind = 'campaign'
           AND (state = 'running' OR state IN ('pausing', 'paused') AND resume_at IS NOT NULL)
         RETURNING run_id),
     lanes AS (UPDATE lane SET state = 'held' FROM held WHERE lane.run_id = held.run_id)
SELECT run_id FROM held;
