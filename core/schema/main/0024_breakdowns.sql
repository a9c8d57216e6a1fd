-- Counters broken down: by minute, and by the site that mail goes to. Of results in their own transaction, by triggers, so
-- that no writer can forget to. Of events by housekeeping, in the order of the feed and up to a place, since looking up each
-- one's site in its own transaction doubled what it costs to take it in.

CREATE TABLE breakdown (
    run_id    uuid NOT NULL,
    dimension text NOT NULL CHECK (dimension IN ('minute', 'site')),
    -- A minute since 1970, or a site.
    value     bigint NOT NULL,
    -- As in tally; and of opens and clicks once more by their label, as it is now: human_open, machine_click …
    kind      text NOT NULL,
    -- By site why something failed or was put off; the class of a bounce.
    detail    text NOT NULL DEFAULT '',
    total     bigint NOT NULL,
    people    bigint NOT NULL,
    PRIMARY KEY (run_id, dimension, value, kind, detail)
);
CREATE TABLE breakdown_delta (
    delta_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id    uuid NOT NULL,
    dimension text NOT NULL,
    value     bigint NOT NULL,
    kind      text NOT NULL,
    detail    text NOT NULL DEFAULT '',
    total     integer NOT NULL,
    people    integer NOT NULL
);
CREATE INDEX breakdown_delta_by_run ON breakdown_delta (run_id, dimension);

-- The one place that says under which kinds an event is broken down.
CREATE FUNCTION app.breakdown_kinds(kind text, label text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN kind IN ('open', 'click') THEN ARRAY[kind, label || '_' || kind] ELSE ARRAY[kind] END
$$;
CREATE FUNCTION app.minute_of(at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT floor(extract(epoch FROM at) / 60)::bigint
$$;

-- Up to which place of the feed events are broken down. Whoever goes on holds it FOR UPDATE, whoever changes labels FOR SHARE.
CREATE TABLE breakdown_progress (
    single   boolean PRIMARY KEY DEFAULT true CHECK (single),
    position bigint NOT NULL
);

-- A label that turns out otherwise moves an event from one kind to the other, if it is broken down already; if it is not, it
-- will be by its new label. Look-ups stay LATERAL with OFFSET 0: each goes by primary key into one partition.
CREATE FUNCTION app.break_down_labels() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
DECLARE
    reached bigint;
BEGIN
    SELECT position INTO reached FROM breakdown_progress FOR SHARE;
    INSERT INTO breakdown_delta (run_id, dimension, value, kind, detail, total, people)
    SELECT e.run_id, CASE WHEN grouping(m.minute) = 0 THEN 'minute' ELSE 'site' END, coalesce(m.minute, s.site),
           e.label || '_' || e.kind, '', sum(e.sign), 0
    FROM (SELECT run_id, seq, kind, label, occurred_at, position, -1 AS sign FROM before
          UNION ALL
          SELECT run_id, seq, kind, label, occurred_at, position, 1 FROM after) e
    CROSS JOIN LATERAL (SELECT app.minute_of(e.occurred_at) AS minute) m
    CROSS JOIN LATERAL (SELECT coalesce((
        SELECT d.site_id FROM recipient r JOIN destination d USING (tag)
        WHERE r.run_id = e.run_id AND r.seq = e.seq OFFSET 0), 0) AS site) s
    WHERE e.kind IN ('open', 'click') AND (e.position IS NULL OR e.position <= reached)
    GROUP BY GROUPING SETS ((e.run_id, m.minute, e.label, e.kind), (e.run_id, s.site, e.label, e.kind))
    HAVING sum(e.sign) <> 0;
    RETURN NULL;
END $$;

-- What is inserted or replaces `uncertain`: as the ledger counts it.
CREATE FUNCTION app.break_down_results() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO breakdown_delta (run_id, dimension, value, kind, detail, total, people)
    SELECT run_id, CASE WHEN grouping(minute) = 0 THEN 'minute' ELSE 'site' END, coalesce(minute, site), kind,
           CASE WHEN grouping(minute) = 0 THEN '' ELSE detail END, count(*), 0
    FROM (SELECT run_id, app.minute_of(at) AS minute, coalesce(site_id, 0) AS site, outcome::text AS kind,
                 CASE WHEN outcome = 'accepted' THEN '' ELSE coalesce(reason, '') END AS detail
          FROM added WHERE outcome IN ('accepted', 'deferred', 'failed')) r
    GROUP BY GROUPING SETS ((run_id, minute, kind), (run_id, site, kind, detail));
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION app.break_down_labels, app.break_down_results, app.breakdown_kinds, app.minute_of FROM PUBLIC;

-- From here on nobody adds to either table until this is committed.
CREATE TRIGGER break_down_labels AFTER UPDATE ON event REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION app.break_down_labels();
CREATE TRIGGER break_down AFTER INSERT ON result REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION app.break_down_results();
CREATE TRIGGER break_down_again AFTER UPDATE ON result REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION app.break_down_results();

-- What is there already.
INSERT INTO breakdown_progress (position) SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM event_position;
INSERT INTO breakdown (run_id, dimension, value, kind, detail, total, people)
SELECT run_id, dimension, value, kind, detail, sum(total), sum(people)
FROM (SELECT e.run_id, x.dimension, x.value, k.kind, e.detail, 1 AS total, 0 AS people
      FROM event e
      JOIN recipient r USING (run_id, seq)
      LEFT JOIN destination d USING (tag)
      CROSS JOIN LATERAL unnest(app.breakdown_kinds(e.kind, e.label)) AS k (kind)
      CROSS JOIN LATERAL (VALUES ('minute', app.minute_of(e.occurred_at)), ('site', coalesce(d.site_id, 0)))
          AS x (dimension, value)
      UNION ALL
      SELECT f.run_id, x.dimension, x.value, f.kind, f.detail, 0, 1
      FROM (SELECT run_id, seq, kind, detail, min(occurred_at) AS at FROM event GROUP BY run_id, seq, kind, detail) f
      JOIN recipient r USING (run_id, seq)
      LEFT JOIN destination d USING (tag)
      CROSS JOIN LATERAL (VALUES ('minute', app.minute_of(f.at)), ('site', coalesce(d.site_id, 0))) AS x (dimension, value)
      UNION ALL
      SELECT s.run_id, x.dimension, x.value, s.outcome::text,
             CASE WHEN x.dimension = 'site' AND s.outcome <> 'accepted' THEN coalesce(s.reason, '') ELSE '' END, 1, 0
      FROM result s
      CROSS JOIN LATERAL (VALUES ('minute', app.minute_of(s.at)), ('site', coalesce(s.site_id, 0))) AS x (dimension, value)
      WHERE s.outcome IN ('accepted', 'deferred', 'failed')) n
GROUP BY run_id, dimension, value, kind, detail;

GRANT EXECUTE ON FUNCTION app.breakdown_kinds, app.minute_of TO todoku_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON breakdown, breakdown_delta TO todoku_app;
GRANT SELECT, UPDATE ON breakdown_progress TO todoku_app;

CREATE VIEW analysis.breakdown AS
    SELECT b.run_id, b.dimension, CASE b.dimension WHEN 'minute' THEN to_timestamp(b.value * 60) END AS minute,
           CASE b.dimension WHEN 'site' THEN coalesce(site.provider, 'other') END AS provider,
           b.kind, b.detail, sum(b.total)::bigint AS total, sum(b.people)::bigint AS people
    FROM (SELECT run_id, dimension, value, kind, detail, total, people FROM breakdown
          UNION ALL
          SELECT run_id, dimension, value, kind, detail, total, people FROM breakdown_delta) b
    LEFT JOIN site ON b.dimension = 'site' AND site.site_id = b.value
    GROUP BY 1, 2, 3, 4, 5, 6;
-- With the class of a bounce.
CREATE OR REPLACE VIEW analysis.event AS
    SELECT e.position, e.run_id, e.seq, m.member_id, e.kind, nullif(e.link, -1) AS link, e.occurred_at, e.label, e.rule,
           nullif(e.detail, '') AS detail
    FROM event e JOIN recipient m USING (run_id, seq);
GRANT SELECT ON analysis.breakdown TO todoku_analyst;
