-- name: without_time_limit
-- Sorting millions of records takes longer than a statement may elsewhere.
SET LOCAL statement_timeout = 0;

-- name: now
SELECT app.now();

-- name: links
SELECT account_id, no, batch, records, digest, previous, at, hash FROM consent_link ORDER BY account_id, no;

-- name: records
-- In the order in which links are walked; what no link knows comes last.
SELECT c.account_id, l.no, c.member_id, c.kind, c.scope, c.source, c.form_version, c.occurred_at, c.recorded_at,
       c.confirmed_at, c.commitment, c.kept
FROM consent c LEFT JOIN consent_link l USING (account_id, batch)
ORDER BY c.account_id, l.no NULLS LAST;

-- name: heads
SELECT account_id, no, hash FROM consent_head ORDER BY account_id;
