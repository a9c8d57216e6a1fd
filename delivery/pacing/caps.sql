-- name: open_day
INSERT INTO source_day (source_id, day, granted) VALUES ($1, (app.now() AT TIME ZONE 'UTC')::date, 0)
ON CONFLICT DO NOTHING;

-- name: lock_day
SELECT day, granted FROM source_day
WHERE source_id = $1 AND day = (app.now() AT TIME ZONE 'UTC')::date FOR NO KEY UPDATE;

-- name: grant
UPDATE source_day SET granted = granted + $3 WHERE source_id = $1 AND day = $2;

-- name: give_back
UPDATE source_day SET granted = greatest(0, granted - $3) WHERE source_id = $1 AND day = $2;
