-- Previews that take opening members, or asking the main database: made by a worker, kept for an hour.

CREATE TABLE preview (
    preview_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'finished', 'failed')),
    -- The rule as it was resolved, by what was known at `at`; sealed where attributes are not open.
    rule       jsonb NOT NULL,
    at         timestamptz NOT NULL,
    -- How far it is: members after `after` and up to `upper` are still to be decided.
    after      uuid,
    upper      uuid,
    done       bigint NOT NULL DEFAULT 0,
    total      bigint NOT NULL DEFAULT 0,
    matching   bigint NOT NULL DEFAULT 0,
    left_out   jsonb NOT NULL DEFAULT '{}',
    samples    uuid[] NOT NULL DEFAULT '{}',
    error      text,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    CHECK ((state = 'failed') = (error IS NOT NULL))
);
CREATE INDEX preview_by_age ON preview (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON preview TO todoku_vault;
