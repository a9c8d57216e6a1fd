-- Raw events, to be followed from outside without missing or repeating one; and views for those who ask in SQL.

-- Each event's place in the feed. A place is taken under a transaction id, never before one (CASE keeps the order), so that
-- who waits for all transactions under way when a place was seen has waited for that place. What came before has none.
CREATE SEQUENCE event_position;
ALTER TABLE event ADD COLUMN position bigint;
ALTER TABLE event ALTER COLUMN position
    SET DEFAULT CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('event_position') END;
-- Places grow with time: a few bytes for each megabyte of events, against some twenty for each event in a B-tree.
CREATE INDEX event_by_position ON event USING brin (position) WITH (autosummarize = on);

-- Up to `safe` nothing more will appear: every transaction that took a place there has ended. `marked` will be once all
-- transactions before `marked_before` have.
CREATE TABLE event_feed (
    single        boolean PRIMARY KEY DEFAULT true CHECK (single),
    safe          bigint NOT NULL DEFAULT 0,
    marked        bigint NOT NULL DEFAULT 0,
    marked_before xid8 NOT NULL DEFAULT '0'
) WITH (fillfactor = 50);
INSERT INTO event_feed DEFAULT VALUES;

-- Who adds an event takes its place; the number tells nothing.
GRANT USAGE ON SEQUENCE event_position TO PUBLIC;
GRANT SELECT ON SEQUENCE event_position TO todoku_app;
GRANT SELECT, UPDATE ON event_feed TO todoku_app;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'todoku_analyst') THEN CREATE ROLE todoku_analyst NOLOGIN; END IF;
END $$;

CREATE SCHEMA analysis;
COMMENT ON SCHEMA analysis IS 'What analysts may read: ids and figures of every account, nothing of a person';

CREATE VIEW analysis.campaign AS
    SELECT campaign_id, account_id, name, created_at FROM campaign;
CREATE VIEW analysis.run AS
    SELECT run_id, campaign_id, account_id, kind, state, snapshot, content_id, starts_at, started_at, first_sent_at,
           finished_at
    FROM run;
-- The last try that says anything, as a report counts it.
CREATE VIEW analysis.delivery AS
    SELECT m.run_id, m.seq, m.member_id,
           CASE WHEN last.outcome IN ('accepted', 'failed') THEN last.outcome::text
                WHEN o.seq IS NOT NULL THEN 'suppressed'
                WHEN last.outcome = 'uncertain' THEN 'uncertain' ELSE 'open' END AS state,
           CASE WHEN last.outcome IN ('accepted', 'failed') OR o.seq IS NULL THEN last.reason ELSE o.reason END AS reason,
           last.try AS tries, last.code, last.site_id, last.source_id, coalesce(last.at, o.at) AS at
    FROM recipient m
    LEFT JOIN LATERAL (SELECT * FROM result r WHERE r.run_id = m.run_id AND r.seq = m.seq AND r.outcome <> 'released'
                       ORDER BY r.try DESC LIMIT 1) AS last ON true
    LEFT JOIN omission o ON o.run_id = m.run_id AND o.seq = m.seq;
CREATE VIEW analysis.event AS
    SELECT e.position, e.run_id, e.seq, m.member_id, e.kind, nullif(e.link, -1) AS link, e.occurred_at,
           e.label, e.rule
    FROM event e JOIN recipient m USING (run_id, seq);
-- Folded and not yet folded, in one.
CREATE VIEW analysis.tally AS
    SELECT run_id, kind, detail, nullif(link, -1) AS link, sum(total)::bigint AS total, sum(people)::bigint AS people
    FROM (SELECT run_id, kind, detail, link, total, people FROM tally
          UNION ALL
          SELECT run_id, kind, detail, link, total, people FROM tally_delta) n
    GROUP BY run_id, kind, detail, link;
CREATE VIEW analysis.link AS
    SELECT run.run_id, l.number::int - 1 AS link, l.url
    FROM run JOIN content USING (content_id) CROSS JOIN LATERAL unnest(content.links) WITH ORDINALITY AS l (url, number);

GRANT USAGE ON SCHEMA analysis TO todoku_analyst;
GRANT SELECT ON ALL TABLES IN SCHEMA analysis TO todoku_analyst;
