-- name: tags
-- In the vault. Who may be sent to: active, and not suppressed.
SELECT member_id, tag FROM member m
WHERE account_id = $1 AND member_id = ANY ($2::uuid[]) AND status = 'active'
  AND NOT EXISTS (SELECT FROM suppression s
                  WHERE s.account_id = $1 AND s.hash = m.suppression_hash AND s.scope = 'all');
