-- The queue and the record of every message. Tables that grow with mail are partitioned by RANGE on run_id
-- (a UUIDv7 is ordered by time), one partition a month, made ahead, so that old months are detached and dropped.

CREATE TABLE recipient (
    run_id    uuid NOT NULL,
    seq       integer NOT NULL,
    member_id uuid NOT NULL,
    tag       bigint NOT NULL,
    PRIMARY KEY (run_id, seq),
    UNIQUE (run_id, member_id)
) PARTITION BY RANGE (run_id);

-- Insert-only; committed before DATA. A try is one attempt at one recipient.
CREATE TABLE intent (
    run_id   uuid NOT NULL,
    seq      integer NOT NULL,
    try      smallint NOT NULL,
    epoch    integer NOT NULL,
    chunk_id bigint NOT NULL,
    owner    uuid NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (run_id, seq, try)
) PARTITION BY RANGE (run_id);

CREATE TYPE outcome AS ENUM ('accepted', 'deferred', 'failed', 'released', 'uncertain');

-- Insert-only, fenced by its intent. A late true result replaces `uncertain`, nothing else is ever changed.
CREATE TABLE result (
    run_id  uuid NOT NULL,
    seq     integer NOT NULL,
    try     smallint NOT NULL,
    outcome outcome NOT NULL,
    code    smallint,
    reason  text,
    detail  text,
    -- Which way out it took and where it went, where a connection was made.
    source_id smallint,
    site_id   integer,
    at      timestamptz NOT NULL,
    PRIMARY KEY (run_id, seq, try)
) PARTITION BY RANGE (run_id);
CREATE INDEX result_uncertain ON result (run_id) WHERE outcome = 'uncertain';
-- What was sent just now, for `todoku top`. Results come in the order of time: it costs a third of a microsecond a row.
CREATE INDEX result_by_time ON result USING brin (at) WITH (autosummarize = on);

-- Recipients that were never, or no more, to be sent to: unsubscribed, bounced, complained, erased since the snapshot.
CREATE TABLE omission (
    run_id uuid NOT NULL,
    seq    integer NOT NULL,
    reason text NOT NULL,
    at     timestamptz NOT NULL,
    PRIMARY KEY (run_id, seq)
) PARTITION BY RANGE (run_id);

-- What of a run is to be done: a range of sequence numbers, or a list of them (successors).
CREATE TABLE chunk (
    chunk_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id      uuid NOT NULL REFERENCES run,
    first_seq   integer NOT NULL,
    last_seq    integer NOT NULL CHECK (last_seq >= first_seq),
    seqs        integer[] CHECK (cardinality(seqs) > 0),
    -- The one site that all of it goes to; null: not sorted by site yet.
    site_id     integer,
    not_before  timestamptz NOT NULL DEFAULT '-infinity',
    why         text NOT NULL DEFAULT 'new' CHECK (why IN ('new', 'rest', 'retry', 'site', 'source', 'dns')),
    -- Since when it waits for its site without an attempt: what waits too long expires.
    held_since  timestamptz,
    state       text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'leased', 'done')),
    owner       uuid,
    epoch       integer NOT NULL DEFAULT 0,
    CHECK ((state = 'leased') = (owner IS NOT NULL))
);
-- Two indexes, so that a claim never walks over the chunks of sites that it can't serve.
CREATE INDEX chunk_ready ON chunk (run_id, not_before, chunk_id) WHERE state = 'ready' AND site_id IS NULL;
CREATE INDEX chunk_ready_at_site ON chunk (site_id, run_id, not_before, chunk_id)
    WHERE state = 'ready' AND site_id IS NOT NULL;
CREATE INDEX chunk_held ON chunk (held_since) WHERE state = 'ready' AND held_since IS NOT NULL;
CREATE INDEX chunk_leased ON chunk (owner) WHERE state = 'leased';
CREATE INDEX chunk_open ON chunk (run_id) WHERE state <> 'done';

-- A run's place among the running ones: weighted fairness by virtual time.
CREATE TABLE lane (
    run_id        uuid PRIMARY KEY REFERENCES run,
    pool          text NOT NULL CHECK (pool IN ('bulk', 'fast')),
    state         text NOT NULL CHECK (state IN ('running', 'held', 'closed')),
    weight        integer NOT NULL CHECK (weight > 0),
    vtime         double precision NOT NULL DEFAULT 0,
    rate_per_hour integer,
    next_claim_at timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX lane_running ON lane (pool, vtime) WHERE state = 'running';

-- What must stop mail; lands here first, in the transaction that answers. Housekeeping carries it into the vault.
-- A consent that is given later lifts what the member did alone; the row stays, for the record.
CREATE TABLE stop (
    account_id  uuid NOT NULL,
    member_id   uuid NOT NULL,
    scope       text NOT NULL DEFAULT 'all',
    reason      text NOT NULL CHECK (reason IN ('unsubscribed', 'bounced', 'complained', 'erased')),
    occurred_at timestamptz NOT NULL,
    carried_at  timestamptz,
    lifted_at   timestamptz,
    PRIMARY KEY (account_id, member_id, scope, occurred_at)
);
-- Of stops that hold, a member has one for each reason: whoever comes second adds nothing.
CREATE UNIQUE INDEX stop_live ON stop (account_id, member_id, scope, reason) WHERE lifted_at IS NULL;
CREATE INDEX stop_to_carry ON stop (occurred_at) WHERE carried_at IS NULL;
