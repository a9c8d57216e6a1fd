-- name: intend
-- $1 owner; arrays by position: $2 run, $3 seq, $4 try, $5 member, $6 chunk, $7 epoch; $8 whether they were asked for
-- before and the answer was lost. Committed before DATA.
-- Our worker row and the runs' rows are locked FOR SHARE: reaping, pausing and cancelling update those rows, so they
-- either wait for this statement or are seen by it. While our row is not reaped our chunks are ours (only recovery
-- takes them, and it reaps), so chunks need no lookup. Members with a stop, of all mail or of the topic that the run writes
-- about, are left out and recorded as omitted; a letter is no list's mail, so that having left the lists does not stop it. LATERAL with OFFSET 0 holds the planner to one probe of the index of stops
-- that hold: asked for two scopes it probed thrice.
-- Repeated after a lost answer it says again what it decided then, whatever has come in between: an intent that stands
-- as ours is granted though its run is held or its member stopped since, and who was omitted stays so though the stop
-- was lifted. So it does for a worker whose lease has run out since and that nobody has retired: it sends nothing any more,
-- but takes back what it had been given leave for, instead of handing on a recipient whose intent is open. Only a repeat
-- pays for looking.
-- Returns only what is refused: position (from 1) and why.
WITH me AS MATERIALIZED (
         SELECT owner, alive_until > (SELECT app.now()) AS alive FROM worker WHERE owner = $1 AND reaped_at IS NULL
         FOR SHARE),
     asked AS MATERIALIZED (
         SELECT * FROM unnest($2::uuid[], $3::int[], $4::smallint[], $5::uuid[], $6::bigint[], $7::int[])
             WITH ORDINALITY AS a (run_id, seq, try, member_id, chunk_id, epoch, position)),
     ours AS MATERIALIZED (
         SELECT a.position FROM asked a CROSS JOIN LATERAL (
             SELECT FROM intent i WHERE i.run_id = a.run_id AND i.seq = a.seq AND i.try = a.try AND i.owner = $1
             OFFSET 0) AS i
         WHERE $8),
     open_run AS MATERIALIZED (
         SELECT run_id, account_id, topic_id, kind FROM run
         WHERE run_id IN (SELECT DISTINCT run_id FROM asked) AND state = 'running' FOR SHARE),
     stopped AS MATERIALIZED (
         SELECT a.position, a.run_id, a.seq, s.reason
         FROM asked a JOIN open_run o USING (run_id)
         CROSS JOIN LATERAL (
             SELECT scope, reason FROM stop
             WHERE stop.account_id = o.account_id AND stop.member_id = a.member_id AND lifted_at IS NULL
             OFFSET 0) AS s
         WHERE s.scope IN ('all', 'topic:' || o.topic_id) AND a.position NOT IN (SELECT position FROM ours)
           AND NOT (o.kind = 'letter' AND s.reason = 'unsubscribed')
         UNION ALL
         SELECT a.position, a.run_id, a.seq, o.reason FROM asked a JOIN omission o USING (run_id, seq) WHERE $8),
     granted AS (
         INSERT INTO intent (run_id, seq, try, epoch, chunk_id, owner, at)
         SELECT a.run_id, a.seq, a.try, a.epoch, a.chunk_id, me.owner, (SELECT app.now())
         FROM asked a JOIN open_run o USING (run_id) CROSS JOIN me
         WHERE me.alive AND a.position NOT IN (SELECT position FROM stopped)
         ON CONFLICT DO NOTHING
         RETURNING run_id, seq, try),
     omitted AS (
         INSERT INTO omission (run_id, seq, reason, at)
         SELECT s.run_id, s.seq, s.reason, (SELECT app.now()) FROM stopped s CROSS JOIN me WHERE me.alive
         ON CONFLICT DO NOTHING
         RETURNING run_id, reason),
     counted AS (
         INSERT INTO tally_delta (run_id, kind, detail, total, people)
         SELECT run_id, 'suppressed', reason, count(*), 0 FROM omitted GROUP BY run_id, reason),
     refused AS (
         SELECT a.position,
                CASE WHEN NOT EXISTS (SELECT FROM me) THEN 'lost'
                     WHEN a.position IN (SELECT position FROM ours) THEN NULL
                     WHEN NOT (SELECT alive FROM me) THEN 'lost'
                     WHEN o.run_id IS NULL THEN 'held'
                     WHEN s.position IS NOT NULL THEN 'stopped'
                     WHEN g.run_id IS NULL AND NOT EXISTS (
                         SELECT FROM intent i WHERE i.run_id = a.run_id AND i.seq = a.seq AND i.try = a.try
                                                AND i.owner = $1 OFFSET 0) THEN 'taken' END AS why
         FROM asked a
         LEFT JOIN open_run o USING (run_id)
         LEFT JOIN stopped s USING (position)
         LEFT JOIN granted g ON g.run_id = a.run_id AND g.seq = a.seq AND g.try = a.try)
SELECT position::int, why FROM refused WHERE why IS NOT NULL;

-- name: record
-- $1 owner; arrays: $2 run, $3 seq, $4 try, $5 outcome, $6 code, $7 reason, $8 masked detail, $9 age (s), $10 suppress,
-- $11 source, $12 site; $13 the reasons that make a failure a strike.
-- Fenced by the intent, not by the lease: a true result is never refused because it is late. A final one replaces
-- `uncertain` unless a later try or an omission exists; a deferral does not, since the recipient's chunk may be done and
-- nobody would come back to it. LATERAL with OFFSET 0 holds the planner to the primary key: left to itself it read the
-- whole of a young partition for each batch, which cost more with every message sent.
-- May be repeated after a lost answer. What is suppressed stops in the same transaction, and who has
-- had too many strikes, by the rule on that table. Strikes in key order, so that no two workers wait in a circle.
WITH given AS MATERIALIZED (
         SELECT * FROM unnest($2::uuid[], $3::int[], $4::smallint[], $5::text[], $6::smallint[], $7::text[], $8::text[],
                              $9::float[], $10::bool[], $11::smallint[], $12::int[])
             AS g (run_id, seq, try, outcome, code, reason, detail, age, suppress, source_id, site_id)),
     kept AS (
         INSERT INTO result AS r (run_id, seq, try, outcome, code, reason, detail, source_id, site_id, at)
         SELECT g.run_id, g.seq, g.try, g.outcome::outcome, g.code, g.reason, g.detail, g.source_id, g.site_id,
                (SELECT app.now()) - make_interval(secs => g.age)
         FROM given g CROSS JOIN LATERAL (
             SELECT FROM intent i WHERE i.run_id = g.run_id AND i.seq = g.seq AND i.try = g.try AND i.owner = $1
             OFFSET 0) AS i
         ON CONFLICT (run_id, seq, try) DO UPDATE
             SET outcome = excluded.outcome, code = excluded.code, reason = excluded.reason,
                 detail = excluded.detail, source_id = excluded.source_id, site_id = excluded.site_id,
                 at = excluded.at
             WHERE r.outcome = 'uncertain' AND excluded.outcome IN ('accepted', 'failed')
               AND NOT EXISTS (SELECT FROM intent later WHERE later.run_id = r.run_id AND later.seq = r.seq
                                                          AND later.try > r.try)
               AND NOT EXISTS (SELECT FROM omission o WHERE o.run_id = r.run_id AND o.seq = r.seq)
         RETURNING r.run_id, r.seq, r.try, r.outcome, r.reason),
     counted AS (
         INSERT INTO tally_delta (run_id, kind, detail, total, people)
         SELECT run_id, outcome::text, coalesce(reason, ''), count(*), 0
         FROM kept WHERE outcome IN ('accepted', 'deferred', 'failed') GROUP BY run_id, outcome, reason),
     stopped AS (
         INSERT INTO stop (account_id, member_id, scope, reason, occurred_at)
         SELECT DISTINCT run.account_id, m.member_id, 'all', 'bounced', (SELECT app.now())
         FROM given g JOIN kept k USING (run_id, seq, try)
         JOIN recipient m ON m.run_id = g.run_id AND m.seq = g.seq
         JOIN run ON run.run_id = g.run_id
         WHERE g.suppress
         ON CONFLICT DO NOTHING),
     struck AS (
         INSERT INTO strike (account_id, member_id, run_id, at)
         SELECT DISTINCT run.account_id, m.member_id, k.run_id, (SELECT app.now())
         FROM kept k
         JOIN recipient m ON m.run_id = k.run_id AND m.seq = k.seq
         JOIN run ON run.run_id = k.run_id
         WHERE k.outcome = 'failed' AND k.reason = ANY ($13::text[])
         ORDER BY run.account_id, m.member_id, k.run_id
         ON CONFLICT DO NOTHING)
SELECT count(*) FROM kept;

-- name: omit
-- Recipients whose member is gone from the vault: erased since the snapshot, or unreadable.
WITH omitted AS (
         INSERT INTO omission (run_id, seq, reason, at)
         SELECT $1, seq, $3, app.now() FROM unnest($2::int[]) AS seq
         ON CONFLICT DO NOTHING RETURNING 1)
INSERT INTO tally_delta (run_id, kind, detail, total, people)
SELECT $1, 'suppressed', $3, count(*), 0 FROM omitted HAVING count(*) > 0;
