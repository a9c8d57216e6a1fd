-- Bounces, complaints and unsubscribes that come by mail, hours or days after a delivery was accepted.

-- What is partitioned by run, whichever tables these are by now: one list less to keep.
CREATE OR REPLACE FUNCTION app.make_partitions(at timestamptz, ahead integer) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    month timestamptz;
    parent text;
BEGIN
    FOR n IN 0..ahead LOOP
        month := date_trunc('month', at) + make_interval(months => n);
        FOR parent IN
            SELECT relname FROM pg_partitioned_table JOIN pg_class ON oid = partrelid
            WHERE relnamespace = 'public'::regnamespace ORDER BY relname
        LOOP
            EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                           parent || to_char(month, '_YYYYMM'), parent,
                           app.uuid_floor(month), app.uuid_floor(month + interval '1 month'));
        END LOOP;
    END LOOP;
END $$;

-- detail: of a bounce its class.
ALTER TABLE event ADD COLUMN detail text NOT NULL DEFAULT '';
ALTER TABLE event DROP CONSTRAINT event_kind_check;
ALTER TABLE event ADD CONSTRAINT event_kind_check
    CHECK (kind IN ('open', 'click', 'unsubscribe', 'honeypot', 'bounce', 'complaint'));
ALTER TABLE event ADD CONSTRAINT event_detail_check
    CHECK ((detail <> '') = (kind = 'bounce')
           AND detail IN ('', 'hard', 'soft', 'policy', 'unknown', 'challenge', 'auto_reply'));

-- Of each class the first report of a delivery, with what it said, masked: it tells people from totals.
CREATE TABLE bounce (
    run_id      uuid NOT NULL,
    seq         integer NOT NULL,
    class       text NOT NULL,
    reason      text NOT NULL,
    status      text NOT NULL,
    evidence    text NOT NULL CHECK (length(evidence) <= 200),
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, seq, class)
) PARTITION BY RANGE (run_id);

-- Which mails were taken in: one that comes again (its 250 was lost, a file is read twice) counts nothing.
CREATE TABLE arrival (
    run_id uuid NOT NULL,
    seq    integer NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    at     timestamptz NOT NULL,
    PRIMARY KEY (run_id, seq, digest)
) PARTITION BY RANGE (run_id);

DO $$
DECLARE
    month timestamptz;
BEGIN
    FOR month IN SELECT DISTINCT to_timestamp(right(inhrelid::regclass::text, 6), 'YYYYMM') + interval '14 days'
                 FROM pg_inherits WHERE inhparent = 'event'::regclass LOOP
        PERFORM app.make_partitions(month, 0);
    END LOOP;
END $$;

-- How many soft bounces within how many days stop a member (0: however many, never), and past which share of the
-- accepted complaints stop a campaign.
ALTER TABLE account ADD COLUMN soft_bounces integer NOT NULL DEFAULT 3 CHECK (soft_bounces BETWEEN 0 AND 100);
ALTER TABLE account ADD COLUMN soft_bounce_days integer NOT NULL DEFAULT 15 CHECK (soft_bounce_days BETWEEN 1 AND 366);
ALTER TABLE account ADD COLUMN auto_stop_complaints double precision NOT NULL DEFAULT 0.003
    CHECK (auto_stop_complaints > 0 AND auto_stop_complaints <= 1);
ALTER TABLE run ADD COLUMN watch_from_complaints integer NOT NULL DEFAULT 0;

-- Failures that are neither for good nor our fault, one a member and run at the most.
CREATE TABLE strike (
    account_id uuid NOT NULL,
    member_id  uuid NOT NULL,
    run_id     uuid NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (account_id, member_id, run_id)
);
CREATE INDEX strike_by_age ON strike (at);

-- Whoever adds a strike, the account's rule holds, in the same transaction.
CREATE FUNCTION app.stop_after_strikes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    most integer;
    days integer;
BEGIN
    SELECT soft_bounces, soft_bounce_days INTO most, days FROM account WHERE account_id = NEW.account_id;
    IF most > 0 AND (SELECT count(*) FROM strike
                     WHERE account_id = NEW.account_id AND member_id = NEW.member_id
                       AND at > NEW.at - make_interval(days => days)) >= most THEN
        INSERT INTO stop (account_id, member_id, scope, reason, occurred_at)
        VALUES (NEW.account_id, NEW.member_id, 'all', 'bounced', NEW.at) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.stop_after_strikes FROM PUBLIC;
CREATE TRIGGER stop_after_strikes AFTER INSERT ON strike FOR EACH ROW EXECUTE FUNCTION app.stop_after_strikes();

-- Where replies to a run's mail go: the sender's address, as it was frozen; no other part of a content.
CREATE FUNCTION app.reply_address(of_run uuid) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    SELECT coalesce(content.body #>> '{sender,reply_to}', content.body #>> '{sender,address}')
    FROM run JOIN content USING (content_id) WHERE run_id = of_run
$$;
REVOKE ALL ON FUNCTION app.reply_address FROM PUBLIC;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'todoku_inbound') THEN CREATE ROLE todoku_inbound NOLOGIN; END IF;
END $$;

GRANT SELECT, INSERT ON bounce TO todoku_app;
GRANT SELECT, INSERT, DELETE ON strike TO todoku_app;

-- It faces the internet: it adds what came back and reads only whose delivery it was, and the account's rule.
GRANT USAGE ON SCHEMA app, public TO todoku_inbound;
GRANT SELECT ON app.clock_offset TO todoku_inbound;
GRANT SELECT (run_id, account_id) ON run TO todoku_inbound;
GRANT SELECT (run_id, seq, member_id) ON recipient TO todoku_inbound;
GRANT SELECT (account_id, soft_bounces, soft_bounce_days) ON account TO todoku_inbound;
GRANT INSERT ON event, first_event, bounce, arrival, tally_delta, stop TO todoku_inbound;
GRANT SELECT, INSERT ON strike TO todoku_inbound;
GRANT USAGE ON SEQUENCE tally_delta_delta_id_seq TO todoku_inbound;
GRANT EXECUTE ON FUNCTION app.reply_address TO todoku_inbound;
