-- Months made ahead, and who may do what.

CREATE FUNCTION app.uuid_floor(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

-- Makes the partitions of the month that holds `at` and of the `ahead` months after it. Idempotent.
CREATE FUNCTION app.make_partitions(at timestamptz, ahead integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    month timestamptz;
    parent text;
BEGIN
    FOR n IN 0..ahead LOOP
        month := date_trunc('month', at) + make_interval(months => n);
        FOREACH parent IN ARRAY ARRAY['recipient', 'intent', 'result', 'omission', 'event', 'first_event'] LOOP
            EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                           parent || to_char(month, '_YYYYMM'), parent,
                           app.uuid_floor(month), app.uuid_floor(month + interval '1 month'));
        END LOOP;
    END LOOP;
END $$;
SELECT app.make_partitions(app.now() - interval '1 month', 4);
REVOKE ALL ON FUNCTION app.make_partitions FROM PUBLIC;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'todoku_app') THEN CREATE ROLE todoku_app NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'todoku_tracker') THEN CREATE ROLE todoku_tracker NOLOGIN; END IF;
END $$;

GRANT USAGE ON SCHEMA app, public TO todoku_app, todoku_tracker;
GRANT SELECT ON app.clock_offset TO todoku_app, todoku_tracker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO todoku_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO todoku_app;
GRANT EXECUTE ON FUNCTION app.make_partitions TO todoku_app;
-- What was intended, what came of it and what is sent can be added to, never taken back.
REVOKE DELETE, UPDATE ON intent, omission, content, template_version FROM todoku_app;
REVOKE DELETE ON result, recipient, stop, event FROM todoku_app;
-- Its old rows are forgotten after a time.
REVOKE UPDATE ON outbox FROM todoku_app;
REVOKE ALL ON schema_migration FROM todoku_app;

-- Partitions are reached through their parents alone, those made later get no grants either.
DO $$
DECLARE
    partition regclass;
BEGIN
    FOR partition IN SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE relkind = 'r' LOOP
        EXECUTE format('REVOKE ALL ON %s FROM todoku_app', partition);
    END LOOP;
END $$;

-- The tracker faces the internet: it adds what came back and reads only what a redirect needs.
GRANT SELECT (run_id, account_id, content_id, kind) ON run TO todoku_tracker;
GRANT SELECT (content_id, links) ON content TO todoku_tracker;
GRANT SELECT (run_id, seq, member_id) ON recipient TO todoku_tracker;
GRANT SELECT, INSERT ON event, first_event, ingest_batch, stop TO todoku_tracker;
GRANT INSERT ON tally_delta TO todoku_tracker;
GRANT USAGE ON SEQUENCE tally_delta_delta_id_seq TO todoku_tracker;
