-- name: moment
-- The database's own time, as all others that it keeps.
SELECT app.now();
