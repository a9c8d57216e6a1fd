-- The vault: everything personal is sealed by the application before it comes here, so that the server, its
-- backups and its operators hold ciphertext only.

CREATE SCHEMA app;
CREATE TABLE app.clock_offset (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shift    interval NOT NULL
);
INSERT INTO app.clock_offset (shift) VALUES ('0');
CREATE FUNCTION app.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT clock_timestamp() + (SELECT shift FROM app.clock_offset) $$;

-- Keys stand in a schema of their own: they are backed up apart from what they open.
CREATE SCHEMA keys;

-- The installation's own keys (the destination tags'), wrapped by the KEK.
CREATE TABLE keys.installation (
    purpose         text PRIMARY KEY CHECK (purpose IN ('destination_tag')),
    wrapped         bytea NOT NULL,
    kek_fingerprint text NOT NULL
);

-- An account's ring. `seal` keys wrap member keys, `index` keys make lookups, the one `suppression` key is never retired.
CREATE TABLE keys.ring (
    account_id      uuid NOT NULL,
    purpose         text NOT NULL CHECK (purpose IN ('seal', 'index', 'suppression')),
    version         integer NOT NULL CHECK (version > 0),
    state           text NOT NULL CHECK (state IN ('primary', 'open', 'retired')),
    wrapped         bytea NOT NULL,
    kek_fingerprint text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (account_id, purpose, version),
    CHECK (purpose <> 'suppression' OR state = 'primary' AND version = 1)
);
CREATE UNIQUE INDEX ring_one_primary ON keys.ring (account_id, purpose) WHERE state = 'primary';

-- One key a member: deleting it makes the member's profile unreadable, in older backups of the rows too.
CREATE TABLE keys.member_key (
    account_id   uuid NOT NULL,
    member_id    uuid NOT NULL,
    ring_version integer NOT NULL,
    wrapped      bytea NOT NULL,
    PRIMARY KEY (account_id, member_id)
);

CREATE TABLE attribute (
    attribute_id uuid PRIMARY KEY,
    account_id   uuid NOT NULL,
    name         text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    label        jsonb NOT NULL DEFAULT '{}',
    type         text NOT NULL CHECK (type IN ('text', 'number', 'boolean', 'date', 'datetime', 'choice', 'tags')),
    protection   text NOT NULL DEFAULT 'sealed' CHECK (protection IN ('sealed', 'matchable', 'open')),
    choices      jsonb NOT NULL DEFAULT '[]',
    required     boolean NOT NULL DEFAULT false,
    ask_at_signup boolean NOT NULL DEFAULT false,
    -- Set with the first value that any member is given: from then on the protection stays what it is.
    used         boolean NOT NULL DEFAULT false,
    -- A used attribute that was removed keeps its row, so that its old values can't come back under another type.
    removed_at   timestamptz,
    revision     integer NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT app.now(),
    UNIQUE (account_id, name)
);

-- `sealed`: the whole profile, address and all. `facets`: what SQL may filter by: open attributes in plain, matchable
-- ones as keyed indexes, groups by id. `tag`: a keyed hash of the address's domain.
CREATE TABLE member (
    account_id       uuid NOT NULL,
    member_id        uuid NOT NULL,
    status           text NOT NULL CHECK (status IN ('unconfirmed', 'active', 'unsubscribed')),
    revision         integer NOT NULL DEFAULT 1,
    sealed           bytea NOT NULL,
    facets           jsonb NOT NULL DEFAULT '{}',
    tag              bigint NOT NULL,
    suppression_hash bytea NOT NULL,
    -- The import that made the member: a second line with the same address in one file is told by it.
    import_id        uuid,
    created_at       timestamptz NOT NULL DEFAULT app.now(),
    updated_at       timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (account_id, member_id)
);
CREATE INDEX member_facets ON member USING gin (facets jsonb_path_ops) WITH (fastupdate = on);

CREATE TABLE address_index (
    account_id    uuid NOT NULL,
    index_version integer NOT NULL,
    hmac          bytea NOT NULL,
    member_id     uuid NOT NULL,
    PRIMARY KEY (account_id, index_version, hmac),
    FOREIGN KEY (account_id, member_id) REFERENCES member ON DELETE CASCADE
);
CREATE INDEX address_index_by_member ON address_index (account_id, member_id);

-- When and how consent was given and taken back: only ever added to.
CREATE TABLE consent (
    account_id  uuid NOT NULL,
    member_id   uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('given', 'withdrawn')),
    scope       text NOT NULL DEFAULT 'all',
    source      text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX consent_by_member ON consent (account_id, member_id);

-- By keyed hash, so that it survives erasure and names nobody.
CREATE TABLE suppression (
    account_id  uuid NOT NULL,
    hash        bytea NOT NULL,
    scope       text NOT NULL DEFAULT 'all',
    reason      text NOT NULL CHECK (reason IN ('unsubscribed', 'bounced', 'complained', 'erased', 'manual')),
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, hash, scope)
);

CREATE TABLE member_group (
    group_id   uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    UNIQUE (account_id, name)
);

CREATE TABLE segment (
    segment_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    name       text NOT NULL,
    rule       jsonb NOT NULL,
    revision   integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    UNIQUE (account_id, name)
);

-- An uploaded file, sealed under a key of its own until it is done with.
CREATE TABLE import (
    import_id      uuid PRIMARY KEY,
    account_id     uuid NOT NULL,
    state          text NOT NULL CHECK (state IN ('uploading', 'waiting', 'running', 'finished', 'failed')),
    mapping        jsonb NOT NULL DEFAULT '{}',
    settings       jsonb NOT NULL DEFAULT '{}',
    consent_source text NOT NULL DEFAULT '',
    ring_version   integer NOT NULL,
    wrapped        bytea NOT NULL,
    bytes          bigint NOT NULL DEFAULT 0,
    rows_total     bigint,
    rows_done      bigint NOT NULL DEFAULT 0,
    created        bigint NOT NULL DEFAULT 0,
    updated        bigint NOT NULL DEFAULT 0,
    unchanged      bigint NOT NULL DEFAULT 0,
    rejected       bigint NOT NULL DEFAULT 0,
    error          text,
    created_at     timestamptz NOT NULL DEFAULT app.now(),
    finished_at    timestamptz
);
CREATE INDEX import_by_account ON import (account_id, import_id);
CREATE TABLE import_block (
    import_id uuid NOT NULL REFERENCES import ON DELETE CASCADE,
    no        integer NOT NULL,
    sealed    bytea NOT NULL,
    PRIMARY KEY (import_id, no)
);
-- Blocks of the reject file, sealed likewise: a bad row is as personal as a good one.
CREATE TABLE import_reject (
    import_id uuid NOT NULL REFERENCES import ON DELETE CASCADE,
    no        integer NOT NULL,
    sealed    bytea NOT NULL,
    PRIMARY KEY (import_id, no)
);
-- Which members that were there before it this file has met already: an address that stands twice in it is taken once.
CREATE TABLE import_seen (
    import_id uuid NOT NULL REFERENCES import ON DELETE CASCADE,
    member_id uuid NOT NULL,
    PRIMARY KEY (import_id, member_id)
);

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'todoku_vault') THEN CREATE ROLE todoku_vault NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'todoku_stops') THEN CREATE ROLE todoku_stops NOLOGIN; END IF;
END $$;
GRANT USAGE ON SCHEMA app, keys, public TO todoku_vault;
GRANT SELECT ON app.clock_offset TO todoku_vault;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, keys TO todoku_vault;
REVOKE UPDATE, DELETE ON consent FROM todoku_vault;
REVOKE ALL ON schema_migration FROM todoku_vault;

-- The scheduler's one narrow way in: carries stops on, idempotently, holding no key and reading nothing back.
-- A consent given later than a stop outlives it.
CREATE FUNCTION app.carry_stops(accounts uuid[], members uuid[], reasons text[], times timestamptz[]) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH s AS (
        SELECT DISTINCT ON (account_id, member_id) *
        FROM unnest(accounts, members, reasons, times) AS t (account_id, member_id, reason, occurred_at)
        ORDER BY account_id, member_id, occurred_at DESC
    ), due AS (
        SELECT s.*, m.suppression_hash
        FROM s JOIN member m USING (account_id, member_id)
        WHERE NOT EXISTS (SELECT FROM consent c WHERE c.account_id = s.account_id AND c.member_id = s.member_id
                            AND c.kind = 'given' AND c.occurred_at > s.occurred_at + interval '5 seconds')
          AND NOT EXISTS (SELECT FROM consent c WHERE c.account_id = s.account_id AND c.member_id = s.member_id
                            AND c.kind = 'withdrawn' AND c.occurred_at = s.occurred_at)
    ), suppressed AS (
        INSERT INTO suppression (account_id, hash, reason, occurred_at)
        SELECT account_id, suppression_hash, reason, occurred_at FROM due
        ON CONFLICT DO NOTHING
        RETURNING reason
    ), left_list AS (
        UPDATE member m SET status = 'unsubscribed', revision = m.revision + 1, updated_at = app.now()
        FROM due d WHERE m.account_id = d.account_id AND m.member_id = d.member_id AND m.status <> 'unsubscribed'
                     AND d.reason <> 'bounced'
    ), noted AS (
        -- A bounce takes no consent back: it says that the address does not work.
        INSERT INTO consent (account_id, member_id, kind, source, occurred_at)
        SELECT account_id, member_id, 'withdrawn', reason, occurred_at FROM due WHERE reason <> 'bounced'
        RETURNING 1
    )
    SELECT ((SELECT count(*) FROM noted) + (SELECT count(*) FROM suppressed WHERE reason = 'bounced'))::integer
$$;
REVOKE ALL ON FUNCTION app.carry_stops FROM PUBLIC;
GRANT USAGE ON SCHEMA app TO todoku_stops;
GRANT EXECUTE ON FUNCTION app.carry_stops TO todoku_stops;
