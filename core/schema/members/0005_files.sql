-- Files in and out: imports of more kinds, with a dry run that can be applied and a way to end one; exports.

-- `checked`: a dry run is through and keeps its file, to be applied or dropped. `cancelled`: what was committed stays.
ALTER TABLE import
    DROP CONSTRAINT import_state_check,
    ADD CONSTRAINT import_state_check CHECK (state IN ('uploading', 'waiting', 'running', 'checked', 'finished',
                                                       'failed', 'cancelled')),
    ADD COLUMN dry_run boolean NOT NULL DEFAULT false,
    -- Columns and masked first rows, sealed as the file is.
    ADD COLUMN report bytea,
    ADD CHECK (state <> 'checked' OR dry_run);
CREATE INDEX import_left ON import (created_at) WHERE state IN ('uploading', 'checked', 'cancelled');
COMMENT ON TABLE import_seen IS 'What a file has met: members that were there before it; in a dry run, half a keyed hash';

-- An export: pages of members by id, from `after` on up to `upper`, sealed in blocks under a key of its own.
CREATE TABLE export (
    export_id    uuid PRIMARY KEY,
    account_id   uuid NOT NULL,
    state        text NOT NULL CHECK (state IN ('waiting', 'running', 'finished', 'failed', 'cancelled')),
    settings     jsonb NOT NULL,
    ring_version integer NOT NULL,
    wrapped      bytea NOT NULL,
    upper        uuid,
    after        uuid,
    blocks       integer NOT NULL DEFAULT 0,
    bytes        bigint NOT NULL DEFAULT 0,
    -- Members that were looked at, of so many; those of them that are in the file.
    rows_total   bigint,
    rows_done    bigint NOT NULL DEFAULT 0,
    written      bigint NOT NULL DEFAULT 0,
    unreadable   bigint NOT NULL DEFAULT 0,
    error        text,
    created_at   timestamptz NOT NULL DEFAULT app.now(),
    finished_at  timestamptz,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX export_by_account ON export (account_id, export_id);
CREATE INDEX export_by_expiry ON export (expires_at);
CREATE TABLE export_block (
    export_id uuid NOT NULL REFERENCES export ON DELETE CASCADE,
    no        integer NOT NULL,
    sealed    bytea NOT NULL,
    PRIMARY KEY (export_id, no)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON export, export_block TO todoku_vault;

-- The scheduler's narrow way to tidy up, which reads nothing back: uploads whose sender died (none lasts longer than four
-- hours, api/guard.py), dry runs that nobody applied within a day, exports whose time is over. A step drops at most
-- `most` blocks, so that no statement runs long, and returns how much it dropped: 0 at the end.
CREATE FUNCTION app.sweep_files(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    left_imports uuid[];
    over_exports uuid[];
    dropped integer;
    total integer;
BEGIN
    -- First the state, so that what is being dropped can't be applied any more.
    UPDATE import SET state = 'cancelled', error = 'The dry run was not applied within a day'
    WHERE state = 'checked' AND finished_at < app.now() - interval '24 hours';
    SELECT array_agg(import_id) INTO left_imports FROM (
        SELECT import_id FROM import
        WHERE state = 'uploading' AND created_at < app.now() - interval '5 hours'
           OR state = 'cancelled' AND (EXISTS (SELECT FROM import_block b WHERE b.import_id = import.import_id)
                                       OR EXISTS (SELECT FROM import_seen s WHERE s.import_id = import.import_id))
        ORDER BY created_at LIMIT 10) AS chosen;
    DELETE FROM import_block WHERE ctid IN (
        SELECT ctid FROM import_block WHERE import_id = ANY (left_imports) LIMIT most);
    GET DIAGNOSTICS total = ROW_COUNT;
    DELETE FROM import_seen WHERE ctid IN (
        SELECT ctid FROM import_seen WHERE import_id = ANY (left_imports) LIMIT most * 100);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    total := total + dropped;
    IF total = 0 THEN
        DELETE FROM import WHERE import_id = ANY (left_imports) AND state = 'uploading';
        total := coalesce(cardinality(left_imports), 0);
    END IF;
    SELECT array_agg(export_id) INTO over_exports FROM (
        SELECT export_id FROM export
        WHERE state IN ('finished', 'failed', 'cancelled') AND expires_at < app.now()
        ORDER BY expires_at LIMIT 10) AS chosen;
    DELETE FROM export_block WHERE ctid IN (
        SELECT ctid FROM export_block WHERE export_id = ANY (over_exports) LIMIT most);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    IF dropped = 0 THEN
        DELETE FROM export WHERE export_id = ANY (over_exports);
        dropped := coalesce(cardinality(over_exports), 0);
    END IF;
    RETURN total + dropped;
END $$;
REVOKE ALL ON FUNCTION app.sweep_files FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.sweep_files TO todoku_stops;
