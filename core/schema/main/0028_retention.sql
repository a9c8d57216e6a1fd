-- Raw rows are kept for some months; counters for good. A month is closed first: what comes back to its mail from then on still stops
-- members and leads readers on, but is in no figure any more. When the next month is closed, its raw rows go: whoever follows the
-- feed has had at least until then. Partitions are emptied as whole tables, which gives the disk back at once and locks
-- nothing that other months are written through.

CREATE TABLE retention (
    single           boolean PRIMARY KEY DEFAULT true CHECK (single),
    -- Runs with smaller ids are closed; of those below `emptied_before` the raw rows are gone.
    closed_before    uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    empty_before     uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    emptied_before   uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    -- The last place of the feed that is gone.
    emptied_position bigint NOT NULL DEFAULT 0,
    CHECK (emptied_before <= empty_before AND empty_before <= closed_before)
);
INSERT INTO retention DEFAULT VALUES;

-- Closes what is older than `keep` whole months, up to the month of the oldest run that is not over; what was closed before
-- may be emptied then. Returns whether anything changed.
CREATE FUNCTION app.close_months(keep integer) RETURNS boolean LANGUAGE sql SECURITY DEFINER
    SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
    UPDATE retention SET closed_before = m.floor, empty_before = closed_before
    FROM (SELECT max(p.floor::text)::uuid AS floor
          FROM (SELECT app.uuid_floor(to_timestamp(right(inhrelid::regclass::text, 6), 'YYYYMM')) AS floor
                FROM pg_inherits WHERE inhparent = 'event'::regclass) p
          WHERE p.floor <= app.uuid_floor(date_trunc('month', app.now()) - make_interval(months => keep))
            AND NOT EXISTS (SELECT FROM run WHERE state NOT IN ('finished', 'cancelled') AND run_id < p.floor)) m
    WHERE m.floor > closed_before
    RETURNING true
$$;

-- Empties the oldest month that may be; returns it and the bytes that it took, or no row. Not as long as an event in it is not
-- settled or not broken down. What reports read from rows is counted first. Waits for no lock longer than a moment.
CREATE FUNCTION app.empty_month() RETURNS TABLE (month date, bytes bigint) LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
    state retention;
    first timestamptz;
    lower uuid;
    upper uuid;
    last bigint;
    parts text[];
BEGIN
    SELECT * INTO state FROM retention FOR UPDATE;
    SELECT min(p.at) INTO first
    FROM (SELECT to_timestamp(right(inhrelid::regclass::text, 6), 'YYYYMM') AS at
          FROM pg_inherits WHERE inhparent = 'event'::regclass) p
    WHERE app.uuid_floor(p.at) >= state.emptied_before;
    lower := app.uuid_floor(first);
    upper := app.uuid_floor(first + interval '1 month');
    IF first IS NULL OR upper > state.empty_before THEN
        RETURN;
    END IF;
    SELECT coalesce(max(position), 0) INTO last FROM event WHERE run_id >= lower AND run_id < upper;
    IF last > (SELECT position FROM breakdown_progress)
       OR EXISTS (SELECT FROM ingest_batch b JOIN event e USING (batch_id)
                  WHERE b.settled_at IS NULL AND e.run_id >= lower AND e.run_id < upper) THEN
        RETURN;
    END IF;
    CREATE TEMPORARY TABLE doubtful ON COMMIT DROP AS
    SELECT u.run_id, u.seq FROM result u
    WHERE u.run_id >= lower AND u.run_id < upper AND u.outcome = 'uncertain'
      AND NOT EXISTS (SELECT FROM intent later WHERE later.run_id = u.run_id AND later.seq = u.seq AND later.try > u.try)
      AND NOT EXISTS (SELECT FROM omission o WHERE o.run_id = u.run_id AND o.seq = u.seq);
    INSERT INTO tally_delta (run_id, kind, total, people) SELECT run_id, 'uncertain', count(*), 0 FROM doubtful GROUP BY run_id;
    INSERT INTO breakdown_delta (run_id, dimension, value, kind, total, people)
    SELECT d.run_id, 'trait', t.trait, 'uncertain', count(*), 0
    FROM doubtful d CROSS JOIN LATERAL app.traits_of(d.run_id, d.seq) t GROUP BY d.run_id, t.trait;
    DROP TABLE doubtful;
    SELECT array_agg(format('%I', inhrelid::regclass::text)), sum(pg_total_relation_size(inhrelid))
    INTO parts, bytes
    FROM pg_inherits
    WHERE inhparent IN ('event'::regclass, 'intent'::regclass, 'result'::regclass, 'omission'::regclass, 'arrival'::regclass,
                        'cell'::regclass)
      AND inhrelid::regclass::text LIKE to_char(first, '%"_"YYYYMM');
    EXECUTE 'TRUNCATE ' || array_to_string(parts, ', ');
    UPDATE retention SET emptied_before = upper, emptied_position = greatest(emptied_position, last);
    month := first::date;
    RETURN NEXT;
END $$;

-- As before; to mail of a closed month members may leave, and are not counted.
CREATE OR REPLACE FUNCTION app.leave(runs uuid[], numbers integer[], topics_alone boolean[])
    RETURNS TABLE (place integer, since timestamptz)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH known AS MATERIALIZED (
        SELECT a.place::integer, a.run_id, a.seq, m.member_id, run.account_id, (SELECT app.now()) AS now,
               CASE WHEN a.topic_alone AND run.topic_id IS NOT NULL THEN 'topic:' || run.topic_id ELSE 'all' END AS scope
        FROM unnest(runs, numbers, topics_alone) WITH ORDINALITY AS a (run_id, seq, topic_alone, place)
        CROSS JOIN LATERAL (SELECT member_id FROM recipient r WHERE r.run_id = a.run_id AND r.seq = a.seq LIMIT 1) AS m
        JOIN run USING (run_id)
    ), counted AS MATERIALIZED (
        SELECT * FROM known WHERE run_id >= (SELECT closed_before FROM retention)
    ), stored AS (
        INSERT INTO event (run_id, seq, kind, occurred_at)
        SELECT run_id, seq, 'unsubscribe', now FROM counted ORDER BY run_id, seq
    ), firsts AS (
        INSERT INTO first_event (run_id, seq, kind, link)
        SELECT DISTINCT run_id, seq, 'unsubscribe', -1 FROM counted ORDER BY run_id, seq
        ON CONFLICT DO NOTHING
        RETURNING run_id
    ), tallied AS (
        INSERT INTO tally_delta (run_id, kind, total, people)
        SELECT run_id, 'unsubscribe', sum(total), sum(people)
        FROM (SELECT run_id, 1 AS total, 0 AS people FROM counted UNION ALL SELECT run_id, 0, 1 FROM firsts) AS n
        GROUP BY run_id
    ), stopped AS (
        INSERT INTO stop (account_id, member_id, scope, reason, occurred_at)
        SELECT DISTINCT account_id, member_id, scope, 'unsubscribed', now FROM known
        ORDER BY account_id, member_id, scope
        ON CONFLICT DO NOTHING
    )
    SELECT place, now FROM known
$$;

-- Of runs whose rows are there.
CREATE OR REPLACE VIEW analysis.delivery AS
    SELECT m.run_id, m.seq, m.member_id,
           CASE WHEN last.outcome IN ('accepted', 'failed') THEN last.outcome::text
                WHEN o.seq IS NOT NULL THEN 'suppressed'
                WHEN last.outcome = 'uncertain' THEN 'uncertain' ELSE 'open' END AS state,
           CASE WHEN last.outcome IN ('accepted', 'failed') OR o.seq IS NULL THEN last.reason ELSE o.reason END AS reason,
           last.try AS tries, last.code, last.site_id, last.source_id, coalesce(last.at, o.at) AS at
    FROM recipient m
    LEFT JOIN LATERAL (SELECT * FROM result r WHERE r.run_id = m.run_id AND r.seq = m.seq AND r.outcome <> 'released'
                       ORDER BY r.try DESC LIMIT 1) AS last ON true
    LEFT JOIN omission o ON o.run_id = m.run_id AND o.seq = m.seq
    WHERE m.run_id >= (SELECT emptied_before FROM retention);

REVOKE ALL ON FUNCTION app.close_months, app.empty_month FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.close_months, app.empty_month TO todoku_app;
GRANT SELECT ON retention TO todoku_app;
GRANT SELECT (closed_before) ON retention TO todoku_tracker, todoku_inbound;

-- A view of two tables, as those beside it: nobody is led to think that it could be written to.
CREATE OR REPLACE VIEW analysis.trait AS
    SELECT t.run_id, t.no AS trait, t.dimension, nullif(t.name, '') AS attribute, t.part, t.value
    FROM trait t JOIN run USING (run_id);
