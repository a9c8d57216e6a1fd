-- What the members' own pages do here of members. The role reads no table of mail: each function is about one delivery, named by the run and
-- number that a signed token holds, or about one member. So a process that was taken over can't list whom it might open.

-- Why members leave, where they say it: one word of a closed list for a mail, counted by campaign.
CREATE TABLE leaving (
    run_id uuid NOT NULL,
    seq    integer NOT NULL,
    reason text NOT NULL CHECK (reason IN ('too_many', 'not_relevant', 'never_asked', 'hard_to_read', 'other')),
    at     timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (run_id, seq)
);
GRANT SELECT ON leaving TO todoku_app;

-- Whose mail it was and what about. No row: there is no such delivery.
CREATE FUNCTION app.delivery(run uuid, number integer)
    RETURNS TABLE (account_id uuid, member_id uuid, kind text, topic_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.account_id, m.member_id, r.kind, r.topic_id
    FROM run r CROSS JOIN LATERAL (SELECT member_id FROM recipient WHERE run_id = run AND seq = number LIMIT 1) AS m
    WHERE r.run_id = run
$$;

-- Unsubscribes, each in effect with the COMMIT that answers it: the event, its counts and the stop, as the tracker writes
-- them (tracking/intake.sql), here of one topic too. `topics_alone`: of the run's topic, if it has one; else of all mail.
-- Gives back the places (from 1) of the deliveries that there are, and since when they are stopped.
CREATE FUNCTION app.leave(runs uuid[], numbers integer[], topics_alone boolean[])
    RETURNS TABLE (place integer, since timestamptz)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH known AS MATERIALIZED (
        SELECT a.place::integer, a.run_id, a.seq, m.member_id, run.account_id, (SELECT app.now()) AS now,
               CASE WHEN a.topic_alone AND run.topic_id IS NOT NULL THEN 'topic:' || run.topic_id ELSE 'all' END AS scope
        FROM unnest(runs, numbers, topics_alone) WITH ORDINALITY AS a (run_id, seq, topic_alone, place)
        CROSS JOIN LATERAL (SELECT member_id FROM recipient r WHERE r.run_id = a.run_id AND r.seq = a.seq LIMIT 1) AS m
        JOIN run USING (run_id)
    ), stored AS (
        INSERT INTO event (run_id, seq, kind, occurred_at)
        SELECT run_id, seq, 'unsubscribe', now FROM known ORDER BY run_id, seq
    ), firsts AS (
        INSERT INTO first_event (run_id, seq, kind, link)
        SELECT DISTINCT run_id, seq, 'unsubscribe', -1 FROM known ORDER BY run_id, seq
        ON CONFLICT DO NOTHING
        RETURNING run_id
    ), tallied AS (
        INSERT INTO tally_delta (run_id, kind, total, people)
        SELECT run_id, 'unsubscribe', sum(total), sum(people)
        FROM (SELECT run_id, 1 AS total, 0 AS people FROM known UNION ALL SELECT run_id, 0, 1 FROM firsts) AS n
        GROUP BY run_id
    ), stopped AS (
        INSERT INTO stop (account_id, member_id, scope, reason, occurred_at)
        SELECT DISTINCT account_id, member_id, scope, 'unsubscribed', now FROM known
        ORDER BY account_id, member_id, scope
        ON CONFLICT DO NOTHING
    )
    SELECT place, now FROM known
$$;

-- The first word stays: who loads the page again is not counted twice.
CREATE FUNCTION app.say_why(run uuid, number integer, why text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO leaving (run_id, seq, reason)
    SELECT run_id, seq, why FROM recipient WHERE run_id = run AND seq = number
    ON CONFLICT DO NOTHING
$$;

-- Stops a member's mail from now on in some scopes, by the member's own word; gives back since when it is stopped in each.
-- Not carried yet: the vault is told in its own time whatever becomes of the request.
CREATE FUNCTION app.stop_member(account uuid, member uuid, scopes text[], why text)
    RETURNS TABLE (scope text, since timestamptz)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH made AS (
        INSERT INTO stop (account_id, member_id, scope, reason, occurred_at)
        SELECT account, member, s.scope, why, app.now() FROM unnest(scopes) AS s (scope)
        WHERE why IN ('unsubscribed', 'erased')
        ON CONFLICT DO NOTHING
        RETURNING stop.scope, occurred_at
    )
    SELECT * FROM made
    UNION ALL
    SELECT s.scope, s.occurred_at FROM stop s
    WHERE s.account_id = account AND s.member_id = member AND s.reason = why AND s.lifted_at IS NULL
      AND s.scope = ANY (scopes)
$$;

-- A later consent lifts what the member did alone: within 5 s the stop wins. Gives back how many hold no more.
CREATE FUNCTION app.lift_stops(account uuid, member uuid, scopes text[], consented_at timestamptz) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH lifted AS (
        UPDATE stop SET lifted_at = app.now()
        WHERE account_id = account AND member_id = member AND scope = ANY (scopes) AND lifted_at IS NULL
          AND reason = 'unsubscribed' AND occurred_at + interval '5 seconds' < consented_at
        RETURNING 1
    )
    SELECT count(*) FROM lifted
$$;

-- A member's stops, the first first.
CREATE FUNCTION app.stops_of(account uuid, member uuid)
    RETURNS TABLE (scope text, reason text, occurred_at timestamptz, lifted_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.scope, s.reason, s.occurred_at, s.lifted_at FROM stop s
    WHERE s.account_id = account AND s.member_id = member
    ORDER BY s.occurred_at
$$;

-- A member's mails, of the runs that were scheduled before the run `before`, the newest first; letters are of no campaign. One probe of the unique
-- (run_id, member_id) a run, which names the one partition to look into.
CREATE FUNCTION app.mails_of(account uuid, member uuid, before uuid, most integer)
    RETURNS TABLE (run_id uuid, campaign_id uuid, campaign text, starts_at timestamptz, outcome text, at timestamptz,
                   omitted text, events jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.run_id, r.campaign_id, coalesce(c.name, 'letter'), r.starts_at, s.outcome::text, s.at, o.reason, coalesce(e.events, '[]')
    FROM run r
    LEFT JOIN campaign c USING (campaign_id)
    CROSS JOIN LATERAL (SELECT seq FROM recipient x WHERE x.run_id = r.run_id AND x.member_id = member OFFSET 0) AS m
    LEFT JOIN LATERAL (SELECT x.outcome, x.at FROM result x
                       WHERE x.run_id = r.run_id AND x.seq = m.seq AND x.outcome <> 'released'
                       ORDER BY x.try DESC LIMIT 1) AS s ON true
    LEFT JOIN omission o ON o.run_id = r.run_id AND o.seq = m.seq
    LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_object('kind', kind, 'link', nullif(link, -1), 'at', occurred_at)) AS events
                       FROM (SELECT kind, link, occurred_at FROM event x
                             WHERE x.run_id = r.run_id AND x.seq = m.seq AND x.kind <> 'honeypot'
                             ORDER BY occurred_at LIMIT 1000) AS first) AS e ON true
    WHERE r.account_id = account AND (before IS NULL OR r.run_id < before)
    ORDER BY r.run_id DESC
    LIMIT most
$$;

-- What was sent to a member in a run, and by which rule: for who asks why, and to read it once more. No row for who was not
-- among its recipients.
CREATE FUNCTION app.mail_to(account uuid, member uuid, run uuid)
    RETURNS TABLE (seq integer, campaign text, audience jsonb, starts_at timestamptz, body jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT m.seq, c.name, r.audience, r.starts_at, b.body
    FROM run r
    JOIN campaign c USING (campaign_id)
    JOIN content b USING (content_id)
    CROSS JOIN LATERAL (SELECT x.seq FROM recipient x WHERE x.run_id = run AND x.member_id = member OFFSET 0) AS m
    WHERE r.run_id = run AND r.account_id = account
$$;

REVOKE ALL ON FUNCTION app.delivery, app.leave, app.say_why, app.stop_member, app.lift_stops, app.stops_of, app.mails_of,
    app.mail_to FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.delivery, app.leave, app.say_why, app.stop_member, app.lift_stops, app.stops_of, app.mails_of,
    app.mail_to TO todoku_pages;
GRANT EXECUTE ON FUNCTION app.stops_of, app.mails_of TO todoku_app;
