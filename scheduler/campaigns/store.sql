-- name: missing_parts
-- Which of sender $2 and template $3 the account does not have.
SELECT 'sender' AS part WHERE NOT EXISTS (SELECT FROM sender WHERE account_id = $1 AND sender_id = $2)
UNION ALL
SELECT 'template' WHERE NOT EXISTS (SELECT FROM template WHERE account_id = $1 AND template_id = $3);

-- name: insert
INSERT INTO campaign (campaign_id, account_id, name, sender_id, template_id, audience, weight, rate_per_hour,
                      track_opens, track_clicks, track_honeypot, resend_uncertain, report_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- name: get
-- A campaign's state is that of its newest run that is no test: run ids are ordered by time.
SELECT c.*, run.run_id, coalesce(run.state, 'draft') AS state, run.starts_at, run.local_time, run.time_zone,
       run.resume_at
FROM campaign c
LEFT JOIN LATERAL (SELECT * FROM run WHERE run.campaign_id = c.campaign_id AND kind = 'campaign'
                   ORDER BY run.run_id DESC LIMIT 1) run ON true
WHERE c.account_id = $1 AND c.campaign_id = $2 AND c.removed_at IS NULL;

-- name: list
-- In the order of their making; $2 is the last id of the page before.
SELECT c.*, run.run_id, coalesce(run.state, 'draft') AS state, run.starts_at, run.local_time, run.time_zone,
       run.resume_at
FROM campaign c
LEFT JOIN LATERAL (SELECT * FROM run WHERE run.campaign_id = c.campaign_id AND kind = 'campaign'
                   ORDER BY run.run_id DESC LIMIT 1) run ON true
WHERE c.account_id = $1 AND c.removed_at IS NULL AND ($2::uuid IS NULL OR c.campaign_id > $2)
ORDER BY c.campaign_id LIMIT $3;

-- name: count
SELECT count(*) FROM campaign WHERE account_id = $1 AND removed_at IS NULL;

-- name: change
-- Only a draft, and only the revision that was read.
UPDATE campaign c
SET name = $4, sender_id = $5, template_id = $6, audience = $7, weight = $8, rate_per_hour = $9, track_opens = $10,
    track_clicks = $11, track_honeypot = $12, resend_uncertain = $13, report_by = $14, revision = revision + 1,
    updated_at = app.now()
WHERE account_id = $1 AND campaign_id = $2 AND revision = $3 AND removed_at IS NULL
  AND NOT EXISTS (SELECT FROM run WHERE run.campaign_id = c.campaign_id AND kind = 'campaign')
RETURNING 1;

-- name: lock
-- Held while a run is made or the draft is removed, so that neither meets the other or a change half-way.
SELECT revision, EXISTS (SELECT FROM run WHERE run.campaign_id = c.campaign_id) AS has_runs,
       coalesce((SELECT state FROM run WHERE run.campaign_id = c.campaign_id AND kind = 'campaign'
                 ORDER BY run_id DESC LIMIT 1), 'draft') AS state
FROM campaign c WHERE account_id = $1 AND campaign_id = $2 AND removed_at IS NULL FOR NO KEY UPDATE;

-- name: delete
DELETE FROM campaign WHERE campaign_id = $1;

-- name: hide
-- Its test sends stay in the record, so its row must stay too.
UPDATE campaign SET removed_at = app.now() WHERE campaign_id = $1;

-- name: now
SELECT app.now();
