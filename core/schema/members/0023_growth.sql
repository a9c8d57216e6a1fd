-- Growth and decay of the list: how many members came and went, by the quarter of an hour, without anybody's name or id. Counted
-- by triggers in the transaction that changes a member, so that no writer can forget to; kept when members are erased.

-- count: of kind `active` how many more (or less) can be on the list, which is status active or paused; else how many did it.
CREATE TABLE growth (
    account_id uuid NOT NULL,
    -- A quarter of an hour since 1970: every zone's days begin with one.
    quarter    bigint NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('active', 'joined', 'imported', 'signed_up', 'confirmed', 'returned', 'unsubscribed',
                                             'bounced', 'complained', 'lapsed', 'erased')),
    count      bigint NOT NULL,
    PRIMARY KEY (account_id, kind, quarter)
);
-- Writers insert and never update; housekeeping folds, a reader adds both.
CREATE TABLE growth_delta (
    delta_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id uuid NOT NULL,
    quarter    bigint NOT NULL,
    kind       text NOT NULL,
    count      integer NOT NULL
);
CREATE INDEX growth_delta_by_account ON growth_delta (account_id);

CREATE FUNCTION app.quarter_of(at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT floor(extract(epoch FROM at) / 900)::bigint
$$;

-- Once a statement, as 0003 says: an import adds thousands.
CREATE FUNCTION app.count_added() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO growth_delta (account_id, quarter, kind, count)
    SELECT a.account_id, app.quarter_of(app.now()), k.kind, a.count
    FROM (SELECT account_id, status, import_id IS NOT NULL AS imported, count(*) AS count FROM added GROUP BY 1, 2, 3) a
    CROSS JOIN LATERAL (
        SELECT CASE WHEN imported THEN 'imported' WHEN status = 'pending' THEN 'signed_up' ELSE 'joined' END AS kind
        UNION ALL
        SELECT 'active' WHERE status IN ('active', 'paused')) k;
    RETURN NULL;
END $$;
CREATE TRIGGER count_added AFTER INSERT ON member REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION app.count_added();

CREATE FUNCTION app.count_removed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO growth_delta (account_id, quarter, kind, count)
    SELECT g.account_id, app.quarter_of(app.now()), k.kind, k.sign * g.count
    FROM (SELECT account_id, status, count(*) AS count FROM gone GROUP BY 1, 2) g
    CROSS JOIN LATERAL (
        SELECT CASE WHEN status = 'pending' THEN 'lapsed' ELSE 'erased' END AS kind, 1 AS sign
        UNION ALL
        SELECT 'active', -1 WHERE status IN ('active', 'paused')) k;
    RETURN NULL;
END $$;
CREATE TRIGGER count_removed AFTER DELETE ON member REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION app.count_removed();

-- A row, since most statements that name the status don't change it, and the condition is asked before anything is called.
CREATE FUNCTION app.count_moved() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO growth_delta (account_id, quarter, kind, count)
    SELECT NEW.account_id, app.quarter_of(app.now()), k.kind, k.count
    FROM (SELECT CASE WHEN NEW.status IN ('unsubscribed', 'bounced') THEN NEW.status
                      WHEN NEW.status = 'active' AND OLD.status = 'pending' THEN 'confirmed'
                      WHEN NEW.status = 'active' AND OLD.status IN ('unsubscribed', 'bounced') THEN 'returned' END AS kind,
                 1 AS count
          UNION ALL
          SELECT 'active', (NEW.status IN ('active', 'paused'))::integer - (OLD.status IN ('active', 'paused'))::integer) k
    WHERE k.kind IS NOT NULL AND k.count <> 0;
    RETURN NULL;
END $$;
CREATE TRIGGER count_moved AFTER UPDATE OF status ON member FOR EACH ROW
    WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION app.count_moved();

-- Complaints end the status as an unsubscribe does: how many of them there are is said by what suppresses their addresses.
CREATE FUNCTION app.count_complaints() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO growth_delta (account_id, quarter, kind, count)
    SELECT account_id, app.quarter_of(app.now()), 'complained', count(*) FROM added
    WHERE reason = 'complained' AND scope = 'all' GROUP BY account_id;
    RETURN NULL;
END $$;
CREATE TRIGGER count_complaints AFTER INSERT ON suppression REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION app.count_complaints();

-- Deltas that another is folding are left to it; counters are taken in key order. Returns how many were folded.
CREATE FUNCTION app.fold_growth(most integer) RETURNS integer LANGUAGE sql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    WITH chosen AS MATERIALIZED (
             SELECT delta_id FROM growth_delta ORDER BY delta_id LIMIT most FOR UPDATE SKIP LOCKED),
         taken AS (
             DELETE FROM growth_delta d USING chosen c WHERE d.delta_id = c.delta_id
             RETURNING d.account_id, d.quarter, d.kind, d.count),
         folded AS (
             INSERT INTO growth AS g (account_id, quarter, kind, count)
             SELECT account_id, quarter, kind, sum(count) FROM taken
             GROUP BY account_id, kind, quarter ORDER BY account_id, kind, quarter
             ON CONFLICT (account_id, kind, quarter) DO UPDATE SET count = g.count + excluded.count)
    SELECT count(*)::integer FROM taken
$$;

-- Who is there already: came when the row was made, and went when it was last changed.
INSERT INTO growth (account_id, quarter, kind, count)
SELECT account_id, quarter, kind, sum(count)
FROM (SELECT account_id, app.quarter_of(created_at) AS quarter,
             CASE WHEN import_id IS NOT NULL THEN 'imported' WHEN status = 'pending' THEN 'signed_up' ELSE 'joined' END AS kind,
             1 AS count FROM member
      UNION ALL
      SELECT account_id, app.quarter_of(created_at), 'active', 1 FROM member WHERE status <> 'pending'
      UNION ALL
      SELECT account_id, app.quarter_of(updated_at), x.kind, x.count FROM member
      CROSS JOIN LATERAL (VALUES (status, 1), ('active', -1)) AS x (kind, count)
      WHERE status IN ('unsubscribed', 'bounced')) n
GROUP BY account_id, quarter, kind;

REVOKE ALL ON FUNCTION app.quarter_of, app.count_added, app.count_removed, app.count_moved, app.count_complaints, app.fold_growth
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.fold_growth TO todoku_stops;
GRANT SELECT ON growth, growth_delta TO todoku_vault;
