-- name: is_empty
SELECT NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
                     AND n.nspname NOT LIKE 'pg\_%');

-- name: begin_scheduled
-- There is no way from scheduled to paused but through running; in this transaction nobody sees it on the way.
UPDATE run SET state = 'running', started_at = app.now() WHERE state = 'scheduled';

-- name: hold_all
-- What was sent since the backup is not known here: only a person may let a run go on. What has an end of its own
-- (a suspension) goes on by itself no more either.
WITH held AS (
         UPDATE run SET state = CASE state WHEN 'running' THEN 'pausing' ELSE state END, resume_at = NULL, reason = $1
         WHERE state IN ('running', 'pausing', 'paused') RETURNING run_id),
     lanes AS (UPDATE lane SET state = 'held' FROM held WHERE lane.run_id = held.run_id)
SELECT count(*) FROM held;

-- name: drop_keys_of_nobody
-- Keys of members who came after the backup of the databases, if the keys are of a later day.
DELETE FROM keys.member_key k
WHERE NOT EXISTS (SELECT FROM member m WHERE m.account_id = k.account_id AND m.member_id = k.member_id);
