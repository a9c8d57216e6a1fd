-- The clock, accounts, API keys, idempotency keys, notices, jobs and workers of the main database.
-- This database knows members by id alone: no address, no name, no attribute of a person stands in it.

CREATE SCHEMA app;

CREATE TABLE app.clock_offset (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shift    interval NOT NULL
);
INSERT INTO app.clock_offset (shift) VALUES ('0');

-- All SQL reads time through this one function; only tests set the offset.
-- STABLE so that it can bound an index scan: within one statement it is asked once where that matters.
CREATE FUNCTION app.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT clock_timestamp() + (SELECT shift FROM app.clock_offset) $$;

CREATE TABLE account (
    account_id      uuid PRIMARY KEY,
    name            text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    -- Whether its campaigns stop by themselves, past which share of hard bounces, and after how many results.
    auto_stop       boolean NOT NULL DEFAULT true,
    auto_stop_share double precision NOT NULL DEFAULT 0.1 CHECK (auto_stop_share > 0 AND auto_stop_share <= 1),
    auto_stop_after integer NOT NULL DEFAULT 500 CHECK (auto_stop_after > 0),
    revision        integer NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT app.now()
);

-- The key itself is shown once and never stored: SHA-256 of 32 random bytes needs no salt.
CREATE TABLE api_key (
    api_key_id   uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES account,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    digest       bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT app.now(),
    last_used_at timestamptz,
    revoked_at   timestamptz
);

-- status is null while the first request with this key is still at work.
CREATE TABLE idempotency (
    account_id  uuid NOT NULL REFERENCES account,
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL,
    status      smallint,
    headers     jsonb,
    body        bytea,
    created_at  timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Notices that leave in the transaction that caused them. Insert-only; housekeeping forgets the old ones.
CREATE TABLE outbox (
    event_id   uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES account,
    kind       text NOT NULL CHECK (kind ~ '^[a-z]+\.[a-z_]+$'),
    subject_id uuid NOT NULL,
    payload    jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX outbox_by_account ON outbox (account_id, event_id);
CREATE INDEX outbox_by_age ON outbox (created_at);

-- Work that needs keys, leased by the workers of the pool `jobs`.
CREATE TABLE job (
    job_id     uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES account,
    kind       text NOT NULL CHECK (kind IN ('import', 'audience_slice')),
    subject_id uuid NOT NULL,
    payload    jsonb NOT NULL DEFAULT '{}',
    state      text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'leased', 'done', 'failed')),
    not_before timestamptz NOT NULL DEFAULT app.now(),
    owner      uuid,
    epoch      integer NOT NULL DEFAULT 0,
    attempts   integer NOT NULL DEFAULT 0,
    error      text,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    CHECK ((state = 'leased') = (owner IS NOT NULL))
);
CREATE INDEX job_ready ON job (not_before) WHERE state = 'ready';
CREATE INDEX job_leased ON job (owner) WHERE state = 'leased';

-- One row a process start; alive by one lease each. Reaping is one-way: a reaped owner never works again.
CREATE TABLE worker (
    owner       uuid PRIMARY KEY,
    pool        text NOT NULL CHECK (pool IN ('bulk', 'fast', 'jobs')),
    slot        integer NOT NULL,
    host        text NOT NULL,
    pid         integer NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT app.now(),
    alive_until timestamptz NOT NULL,
    reaped_at   timestamptz
);
CREATE INDEX worker_live ON worker (alive_until) WHERE reaped_at IS NULL;
