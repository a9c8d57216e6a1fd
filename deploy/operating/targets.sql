-- name: named
-- What is called $1: a source, a provider's site.
SELECT source_id, NULL::int AS site_id, name, NULL::text AS provider FROM source WHERE name = $1
UNION ALL
SELECT NULL, site_id, NULL, provider FROM site WHERE provider = $1;

-- name: site
SELECT site_id, provider FROM site WHERE site_id = $1;

-- name: campaign
-- A campaign and its newest run that is no test.
SELECT c.account_id, c.campaign_id, r.run_id, r.state
FROM campaign c
LEFT JOIN LATERAL (SELECT run_id, state FROM run WHERE run.campaign_id = c.campaign_id AND kind = 'campaign'
                   ORDER BY run_id DESC LIMIT 1) r ON true
WHERE c.campaign_id = $1 AND c.removed_at IS NULL;
