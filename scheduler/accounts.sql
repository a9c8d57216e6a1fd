-- name: get
SELECT account_id, name, auto_stop, auto_stop_share, auto_stop_after, auto_stop_complaints, soft_bounces,
       soft_bounce_days, tracking, tracking_url, honeypot, revision, created_at
FROM account WHERE account_id = $1;

-- name: change
-- Only the revision that was read: whoever comes second finds no row.
UPDATE account SET auto_stop = $3, auto_stop_share = $4, auto_stop_after = $5, auto_stop_complaints = $6,
    soft_bounces = $7, soft_bounce_days = $8, tracking = $9, tracking_url = $10, honeypot = $11,
    revision = revision + 1
WHERE account_id = $1 AND revision = $2
RETURNING account_id, name, auto_stop, auto_stop_share, auto_stop_after, auto_stop_complaints, soft_bounces,
       soft_bounce_days, tracking, tracking_url, honeypot, revision, created_at;
