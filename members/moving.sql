-- name: key
SELECT member_id, ring_version, wrapped FROM keys.member_key WHERE account_id = $1 AND member_id = $2;

-- name: name_change
UPDATE new_address SET change_id = $3 WHERE account_id = $1 AND member_id = $2;

-- name: is_wanted
SELECT true FROM new_address WHERE account_id = $1 AND member_id = $2 AND change_id = $3;

-- name: forget
DELETE FROM new_address WHERE account_id = $1 AND member_id = $2 AND change_id = $3;
