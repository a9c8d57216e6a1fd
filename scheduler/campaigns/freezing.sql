-- name: material
-- All that a run's content is made of, in one snapshot.
SELECT c.revision, c.audience, c.report_by, c.weight, c.rate_per_hour, c.resend_uncertain, c.track_opens, c.track_clicks,
       coalesce(c.track_honeypot, account.honeypot) AS track_honeypot, account.tracking, account.tracking_url,
       s.name AS sender_name, s.address, s.reply_to, s.postal_address, s.contact, s.domain,
       v.subject, v.preheader, v.html, v.text,
       ARRAY (SELECT jsonb_build_object('attachment_id', a.attachment_id, 'name', a.name,
                                        'content_type', a.content_type, 'size', a.size)
              FROM template_attachment ta JOIN attachment a USING (attachment_id)
              WHERE ta.template_id = v.template_id AND ta.version = v.version ORDER BY ta.position) AS attachments
FROM campaign c
JOIN account USING (account_id)
JOIN sender s USING (sender_id)
JOIN template t USING (template_id)
JOIN template_version v ON v.template_id = t.template_id AND v.version = t.version
WHERE c.account_id = $1 AND c.campaign_id = $2 AND c.removed_at IS NULL;

-- name: insert_content
INSERT INTO content (content_id, account_id, body, links) VALUES ($1, $2, $3, $4);

-- name: insert_run
INSERT INTO run (run_id, account_id, campaign_id, state, starts_at, local_time, time_zone, content_id, audience,
                 topic_id, weight, rate_per_hour, resend_uncertain, report_by)
VALUES ($1, $2, $3, 'scheduled', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- name: insert_lane
INSERT INTO lane (run_id, pool, state, weight, rate_per_hour) VALUES ($1, 'bulk', 'held', $2, $3);

-- name: insert_test
-- A test is a run that is whole and running from its first moment: one chunk, in the pool that nothing holds up.
WITH test AS (
         INSERT INTO run (run_id, account_id, campaign_id, kind, state, starts_at, started_at, content_id, audience,
                          weight, audience_state, snapshot)
         SELECT $1, $2, $3, 'test', 'running', n.now, n.now, $4, jsonb_build_object('members', $5::uuid[]), 10, 'whole',
                cardinality($5::uuid[])
         FROM (SELECT app.now() AS now) n
         RETURNING run_id),
     sent_to AS (
         INSERT INTO recipient (run_id, seq, member_id, tag)
         SELECT $1, t.seq, t.member_id, t.tag
         FROM unnest($5::uuid[], $6::bigint[]) WITH ORDINALITY AS t (member_id, tag, seq)),
     chunked AS (
         INSERT INTO chunk (run_id, first_seq, last_seq) VALUES ($1, 1, cardinality($5::uuid[])))
INSERT INTO lane (run_id, pool, state, weight, vtime)
SELECT run_id, 'fast', 'running', 10,
       coalesce(app.least_vtime('fast'), 0)
FROM test;
