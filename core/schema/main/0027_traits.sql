-- What a run's recipients have in common, for reports by segment, group and open attribute. A trait is one value of one of
-- these; a cell is a set of traits that some recipients share. Each recipient bears the number of its cell, so that neither a
-- row nor a byte of a person is stored for each, and events are counted by the traits of its recipient's cell.

-- NULL: reported by what there is (members/traits.py); else {"segments": […], "groups": […], "attributes": […]}.
ALTER TABLE campaign ADD COLUMN report_by jsonb;
ALTER TABLE run ADD COLUMN report_by jsonb;

-- value: as it is shown, of a segment or group its UUID. none: no value, or in none of them; other: beyond the bound.
CREATE TABLE trait (
    run_id    uuid NOT NULL REFERENCES run,
    no        smallint NOT NULL CHECK (no > 0),
    dimension text NOT NULL CHECK (dimension IN ('segment', 'group', 'attribute')),
    -- An attribute's key.
    name      text NOT NULL CHECK ((name <> '') = (dimension = 'attribute')),
    part      text NOT NULL CHECK (part IN ('value', 'none', 'other')),
    value     text CHECK ((value IS NOT NULL) = (part = 'value') AND length(value) <= 100),
    PRIMARY KEY (run_id, no),
    UNIQUE NULLS NOT DISTINCT (run_id, dimension, name, part, value)
);

-- key: what the vault told of these recipients, by which later slices find the cell; NULL for the one that has whoever came
-- when no more cells could be made, whose only trait is 0, which is of no name and `other` in every dimension.
CREATE TABLE cell (
    run_id uuid NOT NULL,
    no     smallint NOT NULL CHECK (no > 0),
    key    text,
    traits smallint[] NOT NULL,
    PRIMARY KEY (run_id, no)
) PARTITION BY RANGE (run_id);

-- 0: of a run that is not reported by anything.
ALTER TABLE recipient ADD COLUMN cell smallint NOT NULL DEFAULT 0;

DO $$
DECLARE
    month timestamptz;
BEGIN
    FOR month IN SELECT DISTINCT to_timestamp(right(inhrelid::regclass::text, 6), 'YYYYMM') + interval '14 days'
                 FROM pg_inherits WHERE inhparent = 'event'::regclass LOOP
        PERFORM app.make_partitions(month, 0);
    END LOOP;
END $$;

ALTER TABLE breakdown DROP CONSTRAINT breakdown_dimension_check;
ALTER TABLE breakdown ADD CONSTRAINT breakdown_dimension_check CHECK (dimension IN ('minute', 'site', 'trait'));

-- The traits of a recipient; of nobody (sequence number 0) trait 0. A plain SQL function of one SELECT, which Postgres puts
-- in the place of its call; OFFSET 0 keeps it a look-up by primary key.
CREATE FUNCTION app.traits_of(of_run uuid, of_seq integer) RETURNS TABLE (trait smallint)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    (SELECT unnest(c.traits) FROM public.recipient r JOIN public.cell c ON c.run_id = r.run_id AND c.no = r.cell
     WHERE r.run_id = of_run AND r.seq = of_seq
     UNION ALL
     SELECT 0::smallint WHERE of_seq = 0)
    OFFSET 0
$$;

-- As before, and by trait.
CREATE OR REPLACE FUNCTION app.break_down_results() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO breakdown_delta (run_id, dimension, value, kind, detail, total, people)
    SELECT run_id, CASE WHEN grouping(minute) = 0 THEN 'minute' ELSE 'site' END, coalesce(minute, site), kind,
           CASE WHEN grouping(minute) = 0 THEN '' ELSE detail END, count(*), 0
    FROM (SELECT run_id, app.minute_of(at) AS minute, coalesce(site_id, 0) AS site, outcome::text AS kind,
                 CASE WHEN outcome = 'accepted' THEN '' ELSE coalesce(reason, '') END AS detail
          FROM added WHERE outcome IN ('accepted', 'deferred', 'failed')) r
    GROUP BY GROUPING SETS ((run_id, minute, kind), (run_id, site, kind, detail));
    INSERT INTO breakdown_delta (run_id, dimension, value, kind, detail, total, people)
    SELECT r.run_id, 'trait', t.trait, r.outcome,
           CASE WHEN r.outcome = 'accepted' THEN '' ELSE coalesce(r.reason, '') END, count(*), 0
    FROM added r CROSS JOIN LATERAL app.traits_of(r.run_id, r.seq) t
    WHERE r.outcome IN ('accepted', 'deferred', 'failed')
    GROUP BY 1, 3, 4, 5;
    RETURN NULL;
END $$;

CREATE FUNCTION app.break_down_omissions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO breakdown_delta (run_id, dimension, value, kind, detail, total, people)
    SELECT o.run_id, 'trait', t.trait, 'suppressed', o.reason, count(*), 0
    FROM added o CROSS JOIN LATERAL app.traits_of(o.run_id, o.seq) t
    GROUP BY 1, 3, 5;
    RETURN NULL;
END $$;
CREATE TRIGGER break_down AFTER INSERT ON omission REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION app.break_down_omissions();

-- Reports over campaigns ask for the runs of a period.
CREATE INDEX run_by_start ON run (account_id, started_at) WHERE kind = 'campaign';

REVOKE ALL ON FUNCTION app.traits_of, app.break_down_omissions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.traits_of TO todoku_app;
GRANT SELECT, INSERT ON trait, cell TO todoku_app;

CREATE VIEW analysis.trait AS
    SELECT run_id, no AS trait, dimension, nullif(name, '') AS attribute, part, value FROM trait;
CREATE OR REPLACE VIEW analysis.breakdown AS
    SELECT b.run_id, b.dimension, CASE b.dimension WHEN 'minute' THEN to_timestamp(b.value * 60) END AS minute,
           CASE b.dimension WHEN 'site' THEN coalesce(site.provider, 'other') END AS provider,
           b.kind, b.detail, sum(b.total)::bigint AS total, sum(b.people)::bigint AS people,
           CASE b.dimension WHEN 'trait' THEN b.value END AS trait
    FROM (SELECT run_id, dimension, value, kind, detail, total, people FROM breakdown
          UNION ALL
          SELECT run_id, dimension, value, kind, detail, total, people FROM breakdown_delta) b
    LEFT JOIN site ON b.dimension = 'site' AND site.site_id = b.value
    GROUP BY 1, 2, 3, 4, 5, 6, 9;
GRANT SELECT ON analysis.trait TO todoku_analyst;
