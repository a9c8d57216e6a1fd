-- name: last_place
-- Read in a statement of its own, before the one that marks: a sequence is read as it is, not as of a snapshot.
SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM event_position;

-- name: advance
-- $1 the last place, read before. What was marked is safe once all transactions that might hold a place there have ended.
-- A mark that no transaction id here has reached is of another server (a restore): it is set anew.
-- Of two at once the later reader wins; nothing new, nothing written.
UPDATE event_feed f SET
    safe = CASE WHEN f.marked_before <= n.oldest THEN greatest(f.safe, f.marked) ELSE f.safe END,
    marked = CASE WHEN f.marked_before <= n.oldest OR f.marked_before > n.next THEN $1 ELSE f.marked END,
    marked_before = CASE WHEN f.marked_before <= n.oldest OR f.marked_before > n.next THEN n.next ELSE f.marked_before END
FROM (SELECT pg_snapshot_xmin(s) AS oldest, pg_snapshot_xmax(s) AS next FROM pg_current_snapshot() AS s) n
WHERE f.marked <= $1 AND f.safe < $1;

-- name: safe
SELECT safe FROM event_feed;

-- name: emptied
SELECT emptied_position FROM retention;

-- name: page
-- $1 account, places after $2 and up to $3, $4 kind or null, $5 how many. The window is bounded, since the index only says
-- where to look: without its end the rest of the table would be read.
SELECT e.position, e.kind, nullif(e.link, -1) AS link, content.links[e.link + 1] AS url, e.occurred_at, e.label,
       e.rule, nullif(e.detail, '') AS detail, e.run_id, run.campaign_id, m.member_id
FROM event e
JOIN run ON run.run_id = e.run_id AND run.account_id = $1 AND run.kind = 'campaign'
JOIN content ON content.content_id = run.content_id
CROSS JOIN LATERAL (SELECT member_id FROM recipient WHERE recipient.run_id = e.run_id AND recipient.seq = e.seq OFFSET 0) m
WHERE e.position > $2 AND e.position <= $3 AND ($4::text IS NULL OR e.kind = $4)
ORDER BY e.position LIMIT $5;
