-- name: delivery
-- $1 run, $2 sequence number: the snapshot's row, and what holds its run.
WITH n AS MATERIALIZED (SELECT app.now() AS now)
SELECT r.run_id, r.campaign_id, r.kind, r.state, r.reason AS run_reason, r.resume_at, r.snapshot, r.resend_uncertain,
       p.seq, p.member_id, d.site_id, s.provider,
       extract(epoch FROM greatest(l.next_claim_at, n.now) - n.now)::float8 AS lane_waits
FROM n CROSS JOIN run r JOIN recipient p USING (run_id) LEFT JOIN lane l USING (run_id)
LEFT JOIN destination d USING (tag) LEFT JOIN site s USING (site_id)
WHERE r.run_id = $1 AND p.seq = $2;

-- name: tries
SELECT i.try, i.at AS intended_at, i.epoch, i.chunk_id, w.pool, w.slot, w.host, w.pid,
       s.outcome::text AS outcome, s.code, s.reason, s.detail, s.at, s.source_id, source.name AS source,
       s.site_id, site.provider
FROM intent i LEFT JOIN result s USING (run_id, seq, try) LEFT JOIN worker w USING (owner)
LEFT JOIN source USING (source_id) LEFT JOIN site USING (site_id)
WHERE i.run_id = $1 AND i.seq = $2 ORDER BY i.try;

-- name: events
-- Of a bounce what the first of its class said.
SELECT e.kind, e.link, e.occurred_at, b.class, b.reason, b.status, b.evidence
FROM event e LEFT JOIN bounce b ON b.run_id = e.run_id AND b.seq = e.seq AND b.class = e.detail
WHERE e.run_id = $1 AND e.seq = $2 ORDER BY e.occurred_at LIMIT 100;

-- name: omission
SELECT reason, at FROM omission WHERE run_id = $1 AND seq = $2;

-- name: stops
-- What stops or has stopped mail to its member: all of it, or a topic's.
SELECT stop.scope, stop.reason, stop.occurred_at, stop.lifted_at
FROM run JOIN recipient p USING (run_id) JOIN stop ON stop.account_id = run.account_id AND stop.member_id = p.member_id
WHERE run.run_id = $1 AND p.seq = $2 ORDER BY stop.occurred_at;

-- name: chunk
-- Where it waits now, by the index of chunks that are not done.
WITH n AS MATERIALIZED (SELECT app.now() AS now)
SELECT k.chunk_id, k.state, k.why, k.site_id, s.provider, k.held_since, w.pool, w.slot, w.host,
       extract(epoch FROM greatest(k.not_before, n.now) - n.now)::float8 AS due_in
FROM n CROSS JOIN chunk k LEFT JOIN site s USING (site_id) LEFT JOIN worker w USING (owner)
WHERE k.run_id = $1 AND k.state <> 'done' AND $2::int BETWEEN k.first_seq AND k.last_seq
  AND (k.seqs IS NULL OR $2 = ANY (k.seqs))
ORDER BY k.chunk_id DESC LIMIT 1;
