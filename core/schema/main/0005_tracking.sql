-- What comes back, and the counters. Several writers never update one counter row: they insert deltas,
-- housekeeping folds them, a report adds both.

CREATE TABLE event (
    run_id      uuid NOT NULL,
    seq         integer NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('open', 'click', 'unsubscribe')),
    link        smallint NOT NULL DEFAULT -1,
    occurred_at timestamptz NOT NULL
) PARTITION BY RANGE (run_id);
CREATE INDEX event_by_delivery ON event (run_id, seq);

-- The first of its kind by this recipient (link -1: of any link): what makes a count of people.
CREATE TABLE first_event (
    run_id uuid NOT NULL,
    seq    integer NOT NULL,
    kind   text NOT NULL,
    link   smallint NOT NULL,
    PRIMARY KEY (run_id, seq, kind, link)
) PARTITION BY RANGE (run_id);

-- A batch is named before its first attempt: after an ambiguous COMMIT it is replayed and skipped if it was there.
CREATE TABLE ingest_batch (
    batch_id uuid PRIMARY KEY,
    at       timestamptz NOT NULL
);
CREATE INDEX ingest_batch_by_age ON ingest_batch (at);

-- kind: an outcome (accepted, failed, suppressed, deferred) with its reason as detail, or an event's kind with its link.
CREATE TABLE tally (
    run_id uuid NOT NULL,
    kind   text NOT NULL,
    detail text NOT NULL DEFAULT '',
    link   smallint NOT NULL DEFAULT -1,
    total  bigint NOT NULL,
    people bigint NOT NULL,
    PRIMARY KEY (run_id, kind, detail, link)
);
CREATE TABLE tally_delta (
    delta_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id   uuid NOT NULL,
    kind     text NOT NULL,
    detail   text NOT NULL DEFAULT '',
    link     smallint NOT NULL DEFAULT -1,
    total    integer NOT NULL,
    people   integer NOT NULL
);
CREATE INDEX tally_delta_by_run ON tally_delta (run_id);
