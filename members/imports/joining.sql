-- name: barred
-- LATERAL with OFFSET 0 holds the planner to a probe a member, as the batch's other look-ups do. The last word on a topic is
-- by the order of events: a withdrawal may be carried in late.
SELECT t.member_id, array_agg(t.topic_id) AS topics
FROM unnest($2::uuid[], $3::uuid[]) AS t (member_id, topic_id)
CROSS JOIN LATERAL (SELECT status, suppression_hash, tag FROM member m
                    WHERE m.account_id = $1 AND m.member_id = t.member_id OFFSET 0) AS m
LEFT JOIN LATERAL (SELECT c.kind FROM consent c
                   WHERE c.account_id = $1 AND c.member_id = t.member_id AND c.scope = 'topic:' || t.topic_id
                   ORDER BY c.occurred_at DESC, c.recorded_at DESC LIMIT 1) AS word ON true
WHERE m.status = 'unsubscribed' OR word.kind = 'withdrawn'
   OR EXISTS (SELECT FROM suppression s
              WHERE s.account_id = $1 AND s.hash IN (m.suppression_hash, int8send(m.tag))
                AND s.scope = 'topic:' || t.topic_id)
GROUP BY t.member_id;
