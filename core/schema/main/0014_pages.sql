-- The members' own pages: each account's look and words, what was consented to, and how often who may ask.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'todoku_pages') THEN CREATE ROLE todoku_pages NOLOGIN; END IF;
END $$;
GRANT USAGE ON SCHEMA app, public TO todoku_pages;
GRANT SELECT ON app.clock_offset TO todoku_pages;
GRANT SELECT (account_id, name) ON account TO todoku_pages;

-- What an account's pages and letters look like and say. No row: as everything is at first.
CREATE TABLE branding (
    account_id     uuid PRIMARY KEY REFERENCES account,
    name           text NOT NULL DEFAULT '',
    language       text NOT NULL DEFAULT 'ja' CHECK (language ~ '^[a-z]{2}$'),
    accent         text NOT NULL DEFAULT '#0b5fa5' CHECK (accent ~ '^#[0-9a-f]{6}$'),
    accent_dark    text NOT NULL DEFAULT '#7cb9ee' CHECK (accent_dark ~ '^#[0-9a-f]{6}$'),
    logo           bytea CHECK (length(logo) <= 20000),
    postal_address text NOT NULL DEFAULT '',
    contact        text NOT NULL DEFAULT '',
    links          jsonb NOT NULL DEFAULT '[]',
    texts          jsonb NOT NULL DEFAULT '{}',
    -- Who sends the account's letters; without one no page can promise any.
    sender_id      uuid REFERENCES sender,
    signup_open    boolean NOT NULL DEFAULT false CHECK (NOT signup_open OR sender_id IS NOT NULL),
    -- 1 is that of an account without a row.
    revision       integer NOT NULL DEFAULT 2
);

-- What a form said when somebody consented to it, under the version that the consent ledger names. Only ever added to.
CREATE TABLE consent_wording (
    account_id uuid NOT NULL REFERENCES account,
    version    text NOT NULL CHECK (length(version) BETWEEN 1 AND 200),
    content    jsonb NOT NULL,
    first_at   timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (account_id, version)
);

-- How often something was asked for, shared by all processes that serve pages. `subject` is a MAC: whose it is can't be
-- read from it. Nothing is lost with it, so that it is not logged and costs no flush.
CREATE UNLOGGED TABLE rate_limit (
    subject bytea PRIMARY KEY CHECK (length(subject) = 16),
    times   integer NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX rate_limit_by_end ON rate_limit (ends_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON branding TO todoku_app;
GRANT SELECT, INSERT ON consent_wording TO todoku_app;
GRANT SELECT, DELETE ON rate_limit TO todoku_app;
GRANT SELECT ON branding TO todoku_pages;
GRANT SELECT, INSERT ON consent_wording TO todoku_pages;
GRANT SELECT, INSERT, UPDATE ON rate_limit TO todoku_pages;
