-- name: prove
-- For this transaction: from here on row security shows the role of the pages this member and no other.
SELECT set_config('todoku.account_id', $1::uuid::text, true), set_config('todoku.member_id', $2::uuid::text, true);

-- name: note_hashes
-- By which suppressions the member is met: noted once, as erasing takes the row that says it.
SELECT set_config('todoku.suppression_hash', encode(suppression_hash, 'hex'), true),
       set_config('todoku.domain_hash', encode(int8send(tag), 'hex'), true)
FROM member
WHERE account_id = $1 AND member_id = $2;
