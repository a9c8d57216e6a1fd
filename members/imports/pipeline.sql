-- name: advance
-- The fence of a batch: of two workers that run one import only one can move it on from `rows_done`, and one that was
-- cancelled is moved by nobody. Last in its transaction: it waits for the batch ahead.
UPDATE import
SET rows_done = rows_done + $3, created = created + $4, updated = updated + $5, unchanged = unchanged + $6,
    rejected = rejected + $7
WHERE import_id = $1 AND rows_done = $2 AND state = 'running'
RETURNING true;

-- name: be_patient
-- Of two imports that bring the same addresses each can wait for the other where Postgres sees no circle: a batch waits for
-- the one ahead of it in this process, not in the database.
SELECT set_config('lock_timeout', $1, true);

-- name: see
INSERT INTO import_seen (import_id, member_id) SELECT $1, unnest($2::uuid[]);

-- name: add_rejects
INSERT INTO import_reject (import_id, no, sealed) VALUES ($1, $2, $3);
