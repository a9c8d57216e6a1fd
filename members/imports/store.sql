-- name: begin
INSERT INTO import (import_id, account_id, state, ring_version, wrapped) VALUES ($1, $2, 'uploading', $3, $4);

-- name: key
SELECT account_id, import_id, state, bytes, ring_version, wrapped FROM import
WHERE account_id = $1 AND import_id = $2 AND state = 'uploading';

-- name: add_block
-- A block that is sent twice is kept once. The row of the import is locked before, so that nothing is added to a file
-- that was submitted meanwhile.
WITH open AS (
    SELECT import_id FROM import WHERE account_id = $1 AND import_id = $2 AND state = 'uploading' FOR UPDATE
), added AS (
    INSERT INTO import_block (import_id, no, sealed) SELECT import_id, $3, $4 FROM open
    ON CONFLICT DO NOTHING
    RETURNING import_id
), counted AS (
    UPDATE import SET bytes = bytes + $5 FROM added WHERE import.import_id = added.import_id
)
SELECT count(*) FROM open;

-- name: blocks
SELECT count(*) AS total, max(no) AS last FROM import_block WHERE import_id = $1;

-- name: submit
UPDATE import SET state = 'waiting', mapping = $3, consent_source = $4, settings = $5, dry_run = $6
WHERE account_id = $1 AND import_id = $2 AND state = 'uploading'
RETURNING *;

-- name: get
SELECT * FROM import WHERE account_id = $1 AND import_id = $2;

-- name: list
SELECT * FROM import
WHERE account_id = $1 AND ($2::uuid IS NULL OR import_id < $2)
ORDER BY import_id DESC
LIMIT $3;

-- name: discard
-- Its blocks go with it.
DELETE FROM import WHERE account_id = $1 AND import_id = $2 AND state = 'uploading';

-- name: apply
-- What the dry run found out of the file is kept, so that the real one reads it the same way; its rejects go, all but
-- their header.
WITH applied AS (
    UPDATE import
    SET state = 'waiting', dry_run = false, rows_done = 0, created = 0, updated = 0, unchanged = 0, rejected = 0,
        finished_at = NULL
    WHERE account_id = $1 AND import_id = $2 AND state = 'checked'
    RETURNING *
), dropped AS (
    DELETE FROM import_reject USING applied WHERE import_reject.import_id = applied.import_id AND no > 0
)
SELECT * FROM applied;

-- name: cancel
-- Waits for the batch that is being written; the next one finds the state and stops.
UPDATE import SET state = 'cancelled', finished_at = app.now()
WHERE account_id = $1 AND import_id = $2 AND state IN ('waiting', 'running', 'checked')
RETURNING *;
