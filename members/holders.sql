-- name: beat
-- $3 is the epoch up to which this process has read its rings: one statement keeps it alive, acknowledges that, and asks
-- whether there is more to read.
INSERT INTO keys.holder (holder, kind, epoch, alive_until)
VALUES ($1, $2, $3, app.now() + make_interval(secs => $4))
ON CONFLICT (holder) DO UPDATE SET epoch = excluded.epoch, alive_until = excluded.alive_until
RETURNING (SELECT epoch FROM keys.epoch);

-- name: leave
DELETE FROM keys.holder WHERE holder = $1;

-- name: behind
SELECT kind, count(*) AS number FROM keys.holder
WHERE alive_until > app.now() AND epoch < $1
GROUP BY kind ORDER BY kind;

-- name: forget_dead
-- One that comes back after so long enters itself anew.
DELETE FROM keys.holder WHERE alive_until < app.now() - interval '1 day';
