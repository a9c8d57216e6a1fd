-- name: plan_audiences
-- $1 seconds before its start that an audience is cut. The first slice's job has the run's own id: planned twice, it
-- would still be there once.
WITH due AS MATERIALIZED (
         SELECT run_id FROM run
         WHERE audience_state = 'waiting' AND state NOT IN ('finished', 'cancelled')
           AND starts_at <= (SELECT app.now()) + make_interval(secs => $1)
         ORDER BY starts_at LIMIT 200 FOR NO KEY UPDATE SKIP LOCKED),
     planned AS (
         UPDATE run SET audience_state = 'cutting' FROM due WHERE run.run_id = due.run_id
         RETURNING run.run_id, run.account_id)
INSERT INTO job (job_id, account_id, kind, subject_id)
SELECT run_id, account_id, 'audience_slice', run_id FROM planned
ON CONFLICT DO NOTHING RETURNING 1;

-- name: finish
-- All recipients are there and no chunk is left to do. What is left of a chunk goes on in a successor that is inserted
-- with its end, so a run is never finished between the two.
WITH ended AS MATERIALIZED (
         SELECT run_id FROM run
         WHERE state IN ('running', 'pausing') AND audience_state IN ('whole', 'failed')
           AND NOT EXISTS (SELECT FROM chunk WHERE chunk.run_id = run.run_id AND chunk.state <> 'done')
         LIMIT 200 FOR NO KEY UPDATE SKIP LOCKED),
     finished AS (
         UPDATE run SET state = 'finished', finished_at = app.now(), resume_at = NULL
         FROM ended WHERE run.run_id = ended.run_id RETURNING run.run_id, run.state, run.kind),
     lanes AS (UPDATE lane SET state = 'closed' FROM finished WHERE lane.run_id = finished.run_id)
SELECT run_id, state, kind FROM finished;

-- name: stops_to_carry
-- Locked while they are carried: two schedulers never carry the same one at once.
SELECT account_id, member_id, scope, reason, occurred_at FROM stop
WHERE carried_at IS NULL ORDER BY occurred_at LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED;

-- name: carry_stops
-- In the vault, by its one narrow function.
SELECT app.carry_stops($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[]);

-- name: stops_carried
-- Told to the webhooks that ask for it, in the transaction that carries it: the tracker, which made it, may tell nothing.
WITH carried AS (
         UPDATE stop SET carried_at = app.now()
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
             AS c (account_id, member_id, scope, occurred_at)
         WHERE stop.account_id = c.account_id AND stop.member_id = c.member_id AND stop.scope = c.scope
           AND stop.occurred_at = c.occurred_at
         RETURNING stop.account_id, stop.member_id, stop.scope,
                   'member.' || CASE stop.reason WHEN 'manual' THEN 'suppressed' ELSE stop.reason END AS kind)
INSERT INTO outbox (event_id, account_id, kind, subject_id)
SELECT app.new_id(), account_id, kind, member_id FROM carried
WHERE scope = 'all'
  AND EXISTS (SELECT FROM webhook w WHERE w.account_id = carried.account_id AND carried.kind = ANY (w.events));

-- name: sweep_files
-- In the vault, by its narrow function for this: at most so many blocks a step.
SELECT app.sweep_files($1);

-- name: expire_consents
-- In the vault, by a function whose rule is fixed; $2, $3: go on after this account and member.
SELECT expired, last_account, last_member FROM app.expire_consents($1, $2, $3, $4);

-- name: forget_unconfirmed
-- In the vault, by a function whose rule is fixed: at most so many a step.
SELECT app.forget_unconfirmed($1, $2);

-- name: fold_growth
-- In the vault, by its narrow function for this: at most so many a step.
SELECT app.fold_growth($1);

-- name: forget_letters
-- What a link led to is told for a month after its time; the mail itself stays in the record of its run.
DELETE FROM letter WHERE expires_at < app.now() - interval '30 days';

-- name: forget_limits
DELETE FROM rate_limit WHERE ends_at < app.now();

-- name: make_partitions
SELECT app.make_partitions(app.now(), 3);

-- name: close_months
SELECT app.close_months($1);

-- name: empty_month
-- One month a statement, so that each goes by itself.
SELECT month, bytes FROM app.empty_month();

-- name: forget_idempotency
DELETE FROM idempotency WHERE created_at < app.now() - interval '24 hours';

-- name: forget_jobs
DELETE FROM job WHERE state = 'done' AND created_at < app.now() - interval '7 days';

-- name: forget_strikes
-- No account's rule looks further back.
DELETE FROM strike WHERE at < app.now() - interval '366 days';

-- name: queue_depth
-- Recipients in chunks that are not done, by what they wait for. One row a chunk is read, of the partial index.
SELECT CASE WHEN c.state = 'leased' THEN 'leased' WHEN lane.state <> 'running' THEN 'held'
            WHEN c.not_before > (SELECT app.now()) THEN 'scheduled' ELSE 'ready' END AS state,
       c.why, sum(coalesce(cardinality(c.seqs), c.last_seq - c.first_seq + 1))::bigint AS recipients
FROM chunk c JOIN lane USING (run_id) WHERE c.state <> 'done' GROUP BY 1, 2;

-- name: restrictions_in_force
SELECT imposed_by, connections IS NOT DISTINCT FROM 0 AS suspends, count(*) AS count FROM restriction
WHERE lifted_at IS NULL AND starts_at <= (SELECT app.now()) AND ends_at > (SELECT app.now()) GROUP BY 1, 2;
