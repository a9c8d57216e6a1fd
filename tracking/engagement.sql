-- name: campaigns
SELECT campaign_id FROM campaign WHERE account_id = $1 AND campaign_id = ANY ($2::uuid[]);

-- name: received
-- Each run of the campaign is walked by its members' ids, in the range that is asked for and no further.
SELECT DISTINCT r.member_id, $4::smallint AS number
FROM run JOIN recipient r USING (run_id)
WHERE run.account_id = $1 AND run.campaign_id = $5 AND run.kind = 'campaign'
  AND r.member_id > $2 AND r.member_id <= $3
  AND EXISTS (SELECT FROM result s WHERE s.run_id = r.run_id AND s.seq = r.seq AND s.outcome = 'accepted');

-- name: did
-- Opened or clicked: the first such event of a person, of any link, tells.
SELECT DISTINCT r.member_id, $4::smallint AS number
FROM run JOIN recipient r USING (run_id)
WHERE run.account_id = $1 AND run.campaign_id = $5 AND run.kind = 'campaign'
  AND r.member_id > $2 AND r.member_id <= $3
  AND EXISTS (SELECT FROM first_event f
              WHERE f.run_id = r.run_id AND f.seq = r.seq AND f.kind = $6 AND f.link = -1);

-- name: last_open
SELECT member_id, $4::smallint AS number FROM engagement
WHERE account_id = $1 AND member_id > $2 AND member_id <= $3 AND last_open_at IS NOT NULL
  AND ($5::timestamptz IS NULL OR last_open_at >= $5) AND ($6::timestamptz IS NULL OR last_open_at < $6);

-- name: last_click
SELECT member_id, $4::smallint AS number FROM engagement
WHERE account_id = $1 AND member_id > $2 AND member_id <= $3 AND last_click_at IS NOT NULL
  AND ($5::timestamptz IS NULL OR last_click_at >= $5) AND ($6::timestamptz IS NULL OR last_click_at < $6);

-- name: fold
-- $1 rows at most; what another scheduler folds is skipped. The LIMIT stands in a MATERIALIZED part: run twice, it would
-- take twice. Members in key order, so that two schedulers wait for each other and never in a circle.
WITH chosen AS MATERIALIZED (
         SELECT delta_id FROM engagement_delta ORDER BY delta_id LIMIT $1 FOR UPDATE SKIP LOCKED),
     taken AS (
         DELETE FROM engagement_delta d USING chosen c WHERE d.delta_id = c.delta_id
         RETURNING d.account_id, d.member_id, d.kind, d.at),
     folded AS (
         INSERT INTO engagement AS e (account_id, member_id, last_open_at, last_click_at)
         SELECT account_id, member_id, max(at) FILTER (WHERE kind = 'open'), max(at) FILTER (WHERE kind = 'click')
         FROM taken GROUP BY account_id, member_id ORDER BY account_id, member_id
         ON CONFLICT (account_id, member_id)
             DO UPDATE SET last_open_at = greatest(e.last_open_at, excluded.last_open_at),
                           last_click_at = greatest(e.last_click_at, excluded.last_click_at))
SELECT count(*)::int FROM taken;
