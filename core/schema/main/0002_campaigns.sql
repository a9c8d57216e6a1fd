-- Senders, templates, campaigns, and runs: one start of a campaign, with its content frozen.

CREATE TABLE sender (
    sender_id      uuid PRIMARY KEY,
    account_id     uuid NOT NULL REFERENCES account,
    name           text NOT NULL,
    address        text NOT NULL,
    reply_to       text,
    postal_address text NOT NULL,
    contact        text NOT NULL,
    domain         text NOT NULL,
    revision       integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX sender_by_account ON sender (account_id, sender_id);

-- Private halves are sealed under the KEK.
CREATE TABLE signing_key (
    account_id uuid NOT NULL REFERENCES account,
    domain     text NOT NULL,
    selector   text NOT NULL,
    algorithm  text NOT NULL CHECK (algorithm IN ('rsa-sha256', 'ed25519-sha256')),
    sealed     bytea NOT NULL,
    public     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (account_id, domain, selector)
);

CREATE TABLE template (
    template_id uuid PRIMARY KEY,
    account_id  uuid NOT NULL REFERENCES account,
    name        text NOT NULL,
    version     integer NOT NULL DEFAULT 1,
    revision    integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT app.now(),
    updated_at  timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX template_by_account ON template (account_id, template_id);

CREATE TABLE template_version (
    template_id uuid NOT NULL REFERENCES template,
    version     integer NOT NULL,
    subject     text NOT NULL,
    preheader   text NOT NULL DEFAULT '',
    html        text NOT NULL,
    text        text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (template_id, version)
);

CREATE TABLE campaign (
    campaign_id      uuid PRIMARY KEY,
    account_id       uuid NOT NULL REFERENCES account,
    name             text NOT NULL,
    sender_id        uuid NOT NULL REFERENCES sender,
    template_id      uuid NOT NULL REFERENCES template,
    audience         jsonb NOT NULL,
    weight           integer NOT NULL DEFAULT 10 CHECK (weight BETWEEN 1 AND 100),
    rate_per_hour    integer CHECK (rate_per_hour > 0),
    track_opens      boolean NOT NULL DEFAULT true,
    track_clicks     boolean NOT NULL DEFAULT true,
    resend_uncertain boolean NOT NULL DEFAULT false,
    revision         integer NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT app.now(),
    updated_at       timestamptz NOT NULL DEFAULT app.now(),
    -- A removed draft whose test sends still stand in the record.
    removed_at       timestamptz
);
CREATE INDEX campaign_by_account ON campaign (account_id, campaign_id);

-- What is sent, frozen at scheduling: never changed afterwards.
CREATE TABLE content (
    content_id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES account,
    body       jsonb NOT NULL,
    links      text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now()
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are immutable', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER content_is_frozen BEFORE UPDATE ON content FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER template_version_is_frozen BEFORE UPDATE ON template_version
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE run (
    run_id         uuid PRIMARY KEY,
    account_id     uuid NOT NULL REFERENCES account,
    campaign_id    uuid NOT NULL REFERENCES campaign,
    kind           text NOT NULL DEFAULT 'campaign' CHECK (kind IN ('campaign', 'test')),
    state          text NOT NULL CHECK (state IN ('scheduled', 'running', 'pausing', 'paused', 'finished',
                                                  'cancelling', 'cancelled')),
    starts_at      timestamptz NOT NULL,
    local_time     text,
    time_zone      text,
    content_id     uuid NOT NULL REFERENCES content,
    audience       jsonb NOT NULL,
    weight         integer NOT NULL CHECK (weight BETWEEN 1 AND 100),
    rate_per_hour  integer CHECK (rate_per_hour > 0),
    resend_uncertain boolean NOT NULL DEFAULT false,
    audience_state text NOT NULL DEFAULT 'waiting' CHECK (audience_state IN ('waiting', 'cutting', 'whole', 'failed')),
    snapshot       integer NOT NULL DEFAULT 0,
    left_out       jsonb NOT NULL DEFAULT '{}',
    scheduled_at   timestamptz NOT NULL DEFAULT app.now(),
    started_at     timestamptz,
    first_sent_at  timestamptz,
    finished_at    timestamptz,
    reason         text,
    -- A run that was suspended for a time is paused until then.
    resume_at      timestamptz,
    -- What a person has seen and resumed it in spite of: hard bounces are watched from here on.
    watch_from_results integer NOT NULL DEFAULT 0,
    watch_from_bounces integer NOT NULL DEFAULT 0,
    CHECK (resume_at IS NULL OR state IN ('pausing', 'paused'))
);
-- A campaign has one live run at the most.
CREATE UNIQUE INDEX run_one_live ON run (campaign_id)
    WHERE kind = 'campaign' AND state NOT IN ('finished', 'cancelled');
CREATE INDEX run_by_campaign ON run (campaign_id, run_id);
CREATE INDEX run_due ON run (starts_at) WHERE state = 'scheduled';
CREATE INDEX run_live ON run (run_id) WHERE state NOT IN ('finished', 'cancelled');
-- What the sweep asks four times a second must not grow with the number of scheduled or past runs.
CREATE INDEX run_unplanned ON run (starts_at)
    WHERE audience_state = 'waiting' AND state NOT IN ('finished', 'cancelled');
CREATE INDEX run_suspended ON run (resume_at) WHERE resume_at IS NOT NULL;
CREATE INDEX run_moving ON run (run_id) WHERE state IN ('running', 'pausing', 'cancelling');

-- The only ways from state to state; the application asks, the database holds.
CREATE FUNCTION run_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> NEW.state AND NOT (OLD.state, NEW.state) IN (
        ('scheduled', 'running'), ('scheduled', 'cancelled'),
        ('running', 'pausing'), ('pausing', 'paused'), ('paused', 'running'), ('pausing', 'running'),
        ('running', 'finished'), ('pausing', 'finished'),
        ('running', 'cancelling'), ('pausing', 'cancelling'), ('paused', 'cancelling'),
        ('cancelling', 'cancelled')
    ) THEN
        RAISE EXCEPTION 'a run cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.content_id <> NEW.content_id OR OLD.starts_at <> NEW.starts_at AND OLD.state <> 'scheduled' THEN
        RAISE EXCEPTION 'a run keeps its content and its time' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER run_transition BEFORE UPDATE ON run FOR EACH ROW EXECUTE FUNCTION run_transition();
