-- name: waiting
SELECT member_id, made_member, sealed, asked_at FROM signup_request
WHERE account_id = $1 AND request_id = $2 AND state = 'waiting';

-- name: end
-- All that were waiting for this member: one answer is enough, and their content is not needed any more.
UPDATE signup_request SET state = $3, sealed = '' WHERE account_id = $1 AND member_id = $2 AND state = 'waiting';
