-- name: claim
-- $1 owner, $2 pool, $3 whether chunks that are not sorted by site are wanted, $4 the sites whose chunks are, $5 runs whose
-- unsorted chunks are not: a worker with enough in hand still begins with what it has nothing of, if it is that one's turn:
-- no run gets ahead of those in hand by their weights. $6 how many unsorted chunks at most, each of another run.
-- Looks for a claimable chunk, not for a lane first: a lane whose chunks are all leased, not yet due or for sites without
-- room must not starve the others. The lanes are read unlocked, three in order of virtual time; the chunk is locked with
-- SKIP LOCKED; LIMITs stand in materialized CTEs, since the planner may otherwise run them again and claim more.
-- Two walks over two indexes and not one with OR, which would step over every chunk of a throttled site. Sites with room
-- come first: their room bounds how often, and behind the unsorted chunks of a long list they would wait to its end.
-- The worker's row is locked FOR SHARE: reaping it either waits for this claim or makes it find nothing. It is locked
-- only where there is something to claim: a lock is a write, and an idle worker asks ten times a second.
-- A rated lane that is claimed up to two seconds late makes up for it, which evens out the polling; one that stood longer
-- begins anew, without arrears.
-- Of those in hand a lane with a rate, or with nothing more to claim, keeps nobody out: it lags behind of itself.
WITH in_hand AS MATERIALIZED (
         SELECT coalesce(min(vtime), 'infinity') AS least FROM lane
         WHERE run_id = ANY ($5::uuid[]) AND state = 'running' AND rate_per_hour IS NULL
           AND EXISTS (SELECT FROM chunk k WHERE k.run_id = lane.run_id AND k.state = 'ready' AND k.site_id IS NULL
                                             AND k.not_before <= (SELECT app.now()))),
     l AS MATERIALIZED (
         SELECT lane.run_id, run_id <> ALL ($5::uuid[]) AND vtime <= (SELECT least FROM in_hand) AS mixed FROM lane
         WHERE pool = $2 AND state = 'running' AND next_claim_at <= (SELECT app.now())
           AND ($3 AND run_id <> ALL ($5::uuid[]) AND vtime <= (SELECT least FROM in_hand)
                AND EXISTS (SELECT FROM chunk k
                               WHERE k.run_id = lane.run_id AND k.state = 'ready' AND k.site_id IS NULL
                                 AND k.not_before <= (SELECT app.now()))
                OR EXISTS (SELECT FROM unnest($4::int[]) AS s (site_id) CROSS JOIN LATERAL (
                               SELECT FROM chunk k WHERE k.site_id = s.site_id AND k.run_id = lane.run_id
                                                     AND k.state = 'ready' AND k.not_before <= (SELECT app.now())
                               LIMIT 1) AS found))
         ORDER BY vtime LIMIT greatest(3, $6::int)),
     me AS MATERIALIZED (
         SELECT owner FROM worker
         WHERE owner = $1 AND reaped_at IS NULL AND alive_until > (SELECT app.now()) AND EXISTS (SELECT FROM l)
         FOR SHARE),
     at_site AS MATERIALIZED (
         SELECT here.chunk_id FROM me, l CROSS JOIN LATERAL (
             SELECT k.chunk_id FROM unnest($4::int[]) AS s (site_id) CROSS JOIN LATERAL (
                 SELECT chunk_id FROM chunk
                 WHERE site_id = s.site_id AND run_id = l.run_id AND state = 'ready' AND not_before <= (SELECT app.now())
                 ORDER BY not_before, chunk_id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) k
             LIMIT 1) AS here
         LIMIT 1),
     mixed AS MATERIALIZED (
         SELECT k.chunk_id FROM me, l CROSS JOIN LATERAL (
             SELECT chunk_id FROM chunk
             WHERE run_id = l.run_id AND state = 'ready' AND site_id IS NULL AND not_before <= (SELECT app.now())
             ORDER BY not_before, chunk_id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) k
         WHERE $3 AND l.mixed AND NOT EXISTS (SELECT FROM at_site)
         LIMIT $6),
     c AS (SELECT chunk_id FROM at_site UNION ALL SELECT chunk_id FROM mixed),
     k AS (
         UPDATE chunk SET state = 'leased', owner = $1, epoch = epoch + 1 FROM c WHERE chunk.chunk_id = c.chunk_id
         RETURNING chunk.*, coalesce(cardinality(seqs), last_seq - first_seq + 1) AS size),
     v AS (
         UPDATE lane SET vtime = vtime + k.size::float / weight,
                next_claim_at = CASE WHEN rate_per_hour IS NULL THEN next_claim_at
                    ELSE CASE WHEN next_claim_at < app.now() - interval '2 seconds' THEN app.now() ELSE next_claim_at END
                         + make_interval(secs => k.size * 3600.0 / rate_per_hour) END
         FROM k WHERE lane.run_id = k.run_id)
SELECT k.chunk_id, k.run_id, k.first_seq, k.last_seq, k.seqs, k.epoch, k.size, k.site_id,
       extract(epoch FROM app.now() - k.held_since)::float AS held_for,
       run.account_id, run.content_id, run.kind, run.resend_uncertain
FROM k JOIN run USING (run_id);

-- name: waiting_sites
-- $1 pool, $2 seconds. Sites with chunks that are due, found by leaps over the index, one a site and not one a chunk.
WITH RECURSIVE at_site AS (
         (SELECT site_id FROM chunk WHERE state = 'ready' AND site_id IS NOT NULL ORDER BY site_id LIMIT 1)
         UNION ALL
         SELECT (SELECT k.site_id FROM chunk k WHERE k.state = 'ready' AND k.site_id > at_site.site_id
                 ORDER BY k.site_id LIMIT 1)
         FROM at_site WHERE at_site.site_id IS NOT NULL)
SELECT s.site_id, site.provider, EXISTS (SELECT FROM chunk k WHERE k.site_id = s.site_id AND k.state = 'ready' AND k.held_since
                                                     < (SELECT app.now()) - make_interval(secs => $2)) AS stale
FROM (SELECT site_id FROM at_site WHERE site_id IS NOT NULL LIMIT 2000) s JOIN site USING (site_id)
WHERE EXISTS (SELECT FROM lane CROSS JOIN LATERAL (
                  SELECT FROM chunk k WHERE k.site_id = s.site_id AND k.run_id = lane.run_id AND k.state = 'ready'
                                        AND k.not_before <= (SELECT app.now()) LIMIT 1) AS due
              WHERE lane.pool = $1 AND lane.state = 'running')
LIMIT 100;

-- name: fresh_recipients
-- Chunks that nobody held before have no history: $1 chunks, $2 their runs, $3 first and $4 last numbers. LATERAL with
-- OFFSET 0 holds the planner to the primary key, as in `record`.
SELECT c.chunk_id, r.seq, r.member_id, r.tag
FROM unnest($1::bigint[], $2::uuid[], $3::int[], $4::int[]) AS c (chunk_id, run_id, first_seq, last_seq)
CROSS JOIN LATERAL (
    SELECT seq, member_id, tag FROM recipient
    WHERE run_id = c.run_id AND seq BETWEEN c.first_seq AND c.last_seq ORDER BY seq OFFSET 0) AS r;

-- name: recipients_with_history
-- Ages are seconds by the database's clock: a database time is never compared with a local one.
SELECT r.seq, r.member_id, r.tag, coalesce(h.tries, 0) AS tries, h.outcome, coalesce(h.deferrals, 0) AS deferrals,
       coalesce(extract(epoch FROM n.now - h.last_at), 0)::float AS since_last,
       coalesce(extract(epoch FROM n.now - h.first_at), 0)::float AS since_first,
       o.seq IS NOT NULL AS omitted
FROM (SELECT app.now() AS now) n
CROSS JOIN recipient r
LEFT JOIN LATERAL (
    SELECT max(i.try) AS tries, min(i.at) AS first_at, max(s.at) AS last_at,
           count(*) FILTER (WHERE s.outcome = 'deferred') AS deferrals,
           (array_agg(s.outcome::text ORDER BY i.try DESC))[1] AS outcome
    FROM intent i LEFT JOIN result s USING (run_id, seq, try)
    WHERE i.run_id = $1 AND i.seq = r.seq) h ON true
LEFT JOIN omission o ON o.run_id = $1 AND o.seq = r.seq
WHERE r.run_id = $1 AND r.seq BETWEEN $2 AND $3 AND ($4::int[] IS NULL OR r.seq = ANY ($4))
ORDER BY r.seq;

-- name: end_chunk
-- $1 owner, $2 chunk, $3 epoch, $4 attempts made; the successors: $5 first, $6 last, $7 seqs as text, $8 delay (s),
-- $9 why they wait, $10 site, $11 how long they wait untried already (s).
-- Ends the claim and hands on what is left in one fenced step, so that each recipient that is not final is always in
-- exactly one chunk that is not done. A lane is charged for attempts made: the rest of the claim's charge goes back.
WITH ended AS (
         UPDATE chunk SET state = 'done', owner = NULL
         WHERE chunk_id = $2 AND owner = $1 AND epoch = $3 AND state = 'leased'
         RETURNING run_id, coalesce(cardinality(seqs), last_seq - first_seq + 1) AS size),
     handed AS (
         INSERT INTO chunk (run_id, first_seq, last_seq, seqs, site_id, not_before, why, held_since)
         SELECT e.run_id, s.first_seq, s.last_seq, s.seqs::int[], s.site_id,
                CASE WHEN s.delay <= 0 THEN '-infinity' ELSE app.now() + make_interval(secs => s.delay) END,
                s.why, app.now() - make_interval(secs => s.held)
         FROM ended e, unnest($5::int[], $6::int[], $7::text[], $8::float[], $9::text[], $10::int[], $11::float[])
             AS s (first_seq, last_seq, seqs, delay, why, site_id, held)),
     refund AS (
         UPDATE lane SET vtime = vtime + ($4 - e.size)::float / weight,
                next_claim_at = CASE WHEN rate_per_hour IS NULL THEN next_claim_at
                    ELSE next_claim_at - make_interval(secs => (e.size - $4) * 3600.0 / rate_per_hour) END
         FROM ended e WHERE lane.run_id = e.run_id)
SELECT (SELECT count(*) FROM ended) AS ended,
       EXISTS (SELECT FROM chunk WHERE chunk_id = $2 AND epoch = $3 AND state = 'done') AS was_done;

-- name: split_chunk
-- $1 owner, $2 chunk, $3 epoch, $4 the sequence numbers that stay; the successors as in end_chunk from $5 on.
-- Hands a part on while the rest is being sent: what waits for a site without room must not wait for a slice's end.
-- May be repeated after a lost answer: a chunk that holds just what stays was split before.
WITH split AS (
         UPDATE chunk SET seqs = $4::int[]
         WHERE chunk_id = $2 AND owner = $1 AND epoch = $3 AND state = 'leased' AND seqs IS DISTINCT FROM $4::int[]
         RETURNING run_id),
     handed AS (
         INSERT INTO chunk (run_id, first_seq, last_seq, seqs, site_id, not_before, why, held_since)
         SELECT split.run_id, s.first_seq, s.last_seq, s.seqs::int[], s.site_id,
                CASE WHEN s.delay <= 0 THEN '-infinity' ELSE app.now() + make_interval(secs => s.delay) END,
                s.why, app.now() - make_interval(secs => s.held)
         FROM split, unnest($5::int[], $6::int[], $7::text[], $8::float[], $9::text[], $10::int[], $11::float[])
             AS s (first_seq, last_seq, seqs, delay, why, site_id, held)
         RETURNING run_id, cardinality(seqs) AS size),
     refund AS (
         UPDATE lane SET vtime = vtime - back.size::float / weight,
                next_claim_at = CASE WHEN rate_per_hour IS NULL THEN next_claim_at
                    ELSE next_claim_at - make_interval(secs => back.size * 3600.0 / rate_per_hour) END
         FROM (SELECT run_id, sum(size) AS size FROM handed GROUP BY run_id) AS back WHERE lane.run_id = back.run_id)
SELECT EXISTS (SELECT FROM chunk WHERE chunk_id = $2 AND owner = $1 AND epoch = $3 AND state = 'leased');

-- name: due_soon
-- Of the pool $1, runs that begin within $2 seconds, the first 100: their content is compiled before their time.
SELECT run_id FROM run JOIN lane USING (run_id)
WHERE run.state = 'scheduled' AND run.starts_at <= (SELECT app.now()) + make_interval(secs => $2) AND lane.pool = $1
ORDER BY run.starts_at LIMIT 100;

-- name: held_runs
-- Which of these runs may not be worked on any more.
SELECT run_id FROM run WHERE run_id = ANY ($1::uuid[]) AND state <> 'running';

-- name: give_back_strays
-- After a claim whose answer was lost: chunks that are ours in the table and that we do not know of.
UPDATE chunk SET state = 'ready', owner = NULL
WHERE owner = $1 AND state = 'leased' AND NOT chunk_id = ANY ($2::bigint[]);

-- name: note_first
UPDATE run SET first_sent_at = app.now() - make_interval(secs => $2) WHERE run_id = $1 AND first_sent_at IS NULL;
