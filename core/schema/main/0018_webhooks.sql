-- Webhooks: where an account's notices are posted to, and what came of each. A notice is spread over the webhooks that
-- ask for it in the transaction that tells it, so there is no place in the outbox to keep, and none to lose.

-- A UUIDv7 (RFC 9562) of now, for rows that statements make of others: time-ordered, as the application's own ids are.
CREATE FUNCTION app.new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (left(app.uuid_floor(app.now())::text, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid
$$;

CREATE TABLE webhook (
    webhook_id   uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES account,
    url          text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    events       text[] NOT NULL CHECK (cardinality(events) BETWEEN 1 AND 50),
    enabled      boolean NOT NULL DEFAULT true,
    -- Why it was turned off by itself.
    reason       text,
    -- Its secret is derived from these by a key that no database holds; the former one signs too, for a time.
    key_version             smallint NOT NULL,
    secret_version          integer NOT NULL DEFAULT 1,
    previous_key_version    smallint,
    previous_secret_version integer,
    previous_until          timestamptz,
    revision     integer NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT app.now(),
    CHECK ((previous_key_version IS NULL) = (previous_until IS NULL)),
    CHECK ((previous_secret_version IS NULL) = (previous_until IS NULL))
);
CREATE INDEX webhook_by_account ON webhook (account_id, webhook_id);

-- One notice for one webhook. Who posts it moves next_at past the longest post first: after a crash it is due again.
CREATE TABLE webhook_delivery (
    event_id   uuid NOT NULL REFERENCES outbox ON DELETE CASCADE,
    webhook_id uuid NOT NULL REFERENCES webhook ON DELETE CASCADE,
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts   smallint NOT NULL DEFAULT 0,
    next_at    timestamptz NOT NULL DEFAULT app.now(),
    -- What the last attempt came to: a status of HTTP, or a word for why there was none.
    status     smallint,
    fault      text CHECK (fault ~ '^[a-z_]{1,50}$'),
    settled_at timestamptz,
    PRIMARY KEY (event_id, webhook_id),
    CHECK ((state = 'waiting') = (settled_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX webhook_delivery_by_webhook ON webhook_delivery (webhook_id, event_id);
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook_id, next_at) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_dead ON webhook_delivery (webhook_id) WHERE state = 'dead';

CREATE FUNCTION app.spread_notices() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO webhook_delivery (event_id, webhook_id)
    SELECT told.event_id, w.webhook_id FROM told JOIN webhook w USING (account_id) WHERE told.kind = ANY (w.events);
    RETURN NULL;
END $$;
CREATE TRIGGER spread_notices AFTER INSERT ON outbox REFERENCING NEW TABLE AS told
    FOR EACH STATEMENT EXECUTE FUNCTION app.spread_notices();

-- Whatever moves a run tells of it, in the same transaction; only what a webhook asks for is told.
CREATE FUNCTION app.tell_of_run() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    what text := CASE WHEN NEW.state = 'running' AND OLD.state = 'scheduled' THEN 'run.started'
                      WHEN NEW.state = 'running' THEN 'run.resumed'
                      WHEN NEW.state IN ('paused', 'finished', 'cancelled') THEN 'run.' || NEW.state END;
BEGIN
    INSERT INTO outbox (event_id, account_id, kind, subject_id)
    SELECT app.new_id(), NEW.account_id, what, NEW.run_id
    WHERE EXISTS (SELECT FROM webhook w WHERE w.account_id = NEW.account_id AND what = ANY (w.events));
    RETURN NULL;
END $$;
CREATE TRIGGER tell_of_run AFTER UPDATE OF state ON run
    FOR EACH ROW WHEN (NEW.kind = 'campaign' AND OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION app.tell_of_run();

REVOKE ALL ON FUNCTION app.new_id, app.spread_notices, app.tell_of_run FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.new_id, app.spread_notices, app.tell_of_run TO todoku_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook, webhook_delivery TO todoku_app;
