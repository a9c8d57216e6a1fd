-- name: hold
-- One who waited for a change of keys finds the row at another generation, and so finds nothing.
SELECT true FROM keys.account WHERE account_id = $1 AND generation = $2 FOR KEY SHARE;

-- name: be_patient
SELECT set_config('lock_timeout', $1, true);

-- name: close
-- The whole table, although one row is changed: a row's lock is passed on from sharer to sharer, and under two imports
-- that overlap it would never come free. A table's lock is a queue: the longest write that is under way is waited for.
LOCK TABLE keys.account IN EXCLUSIVE MODE;

-- name: move_on
UPDATE keys.account SET generation = generation + 1 WHERE account_id = $1 RETURNING generation;
