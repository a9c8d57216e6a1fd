-- Stops have a scope: all mail, or one topic's.

DROP FUNCTION app.carry_stops(uuid[], uuid[], text[], timestamptz[]);

-- A stop becomes a suppression in its scope and, where it is the member's own word, a withdrawal: of all mail, which ends the
-- status, or of a topic, which the member is then no longer in. A consent to the same scope given later than a stop outlives
-- it. Of several stops of one member and scope the member's own word goes first. Each member's row is changed once, whatever
-- stops it has: of two changes in one statement Postgres would make but one.
CREATE FUNCTION app.carry_stops(accounts uuid[], members uuid[], scopes text[], reasons text[], times timestamptz[])
    RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH s AS (
        SELECT DISTINCT ON (account_id, member_id, scope) *, reason NOT IN ('bounced', 'manual') AS by_member
        FROM unnest(accounts, members, scopes, reasons, times) AS t (account_id, member_id, scope, reason, occurred_at)
        ORDER BY account_id, member_id, scope, reason IN ('bounced', 'manual'), occurred_at DESC
    ), due AS (
        SELECT s.*, m.suppression_hash
        FROM s JOIN member m USING (account_id, member_id)
        WHERE NOT EXISTS (SELECT FROM consent c WHERE c.account_id = s.account_id AND c.member_id = s.member_id
                            AND c.kind = 'given' AND c.scope = s.scope
                            AND c.occurred_at > s.occurred_at + interval '5 seconds')
          AND NOT EXISTS (SELECT FROM consent c WHERE c.account_id = s.account_id AND c.member_id = s.member_id
                            AND c.kind = 'withdrawn' AND c.scope = s.scope AND c.occurred_at = s.occurred_at)
    ), suppressed AS (
        INSERT INTO suppression (account_id, hash, scope, reason, occurred_at)
        SELECT account_id, suppression_hash, scope, reason, occurred_at FROM due
        ON CONFLICT DO NOTHING
        RETURNING reason
    ), ends AS (
        SELECT account_id, member_id,
               coalesce(bool_or(by_member) FILTER (WHERE scope = 'all'), false) AS leaves,
               coalesce(bool_or(reason = 'bounced') FILTER (WHERE scope = 'all'), false) AS bounces,
               coalesce(array_agg(substr(scope, 7)) FILTER (WHERE by_member AND scope <> 'all'), '{}') AS topics
        FROM due GROUP BY account_id, member_id
    ), moved AS (
        -- From the row's own columns: what came in between, as an import's, is not taken back.
        UPDATE member m
        SET status = CASE WHEN e.leaves THEN 'unsubscribed'
                          WHEN e.bounces AND m.status IN ('pending', 'active', 'paused') THEN 'bounced'
                          ELSE m.status END,
            paused_until = CASE WHEN NOT (e.leaves OR e.bounces) THEN m.paused_until END,
            -- An empty array is dropped, as a member without topics has none.
            facets = CASE WHEN NOT coalesce(m.facets -> 'topics', '[]') ?| e.topics THEN m.facets
                          WHEN (m.facets -> 'topics') - e.topics = '[]' THEN m.facets - 'topics'
                          ELSE jsonb_set(m.facets, '{topics}', (m.facets -> 'topics') - e.topics) END,
            revision = m.revision + 1, updated_at = app.now()
        FROM ends e
        WHERE m.account_id = e.account_id AND m.member_id = e.member_id
          AND (e.leaves AND m.status <> 'unsubscribed'
               OR e.bounces AND m.status IN ('pending', 'active', 'paused')
               OR coalesce(m.facets -> 'topics', '[]') ?| e.topics)
    ), noted AS (
        -- A bounce takes no consent back: it says that the address does not work.
        INSERT INTO consent (account_id, member_id, kind, scope, source, occurred_at)
        SELECT account_id, member_id, 'withdrawn', scope, reason, occurred_at FROM due WHERE by_member
        RETURNING 1
    )
    SELECT ((SELECT count(*) FROM noted) + (SELECT count(*) FROM suppressed WHERE reason IN ('bounced', 'manual')))::integer
$$;
REVOKE ALL ON FUNCTION app.carry_stops FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.carry_stops TO todoku_stops;
