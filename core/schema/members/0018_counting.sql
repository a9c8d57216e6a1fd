-- Counting an audience on all cores, whoever is suppressed in it.

-- What a member's own row says against mail to them, suppressions apart; null: nothing. A paused member whose time has come
-- is sent to at once. Written to be inlined, as `app.reach` is, which is this and the suppressions.
CREATE FUNCTION app.standing(account uuid)
    RETURNS TABLE (member_id uuid, tag bigint, facets jsonb, suppression_hash bytea, standing text)
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT m.member_id, m.tag, m.facets, m.suppression_hash,
           CASE WHEN m.status = 'active' THEN NULL
                WHEN m.status = 'paused' AND m.paused_until <= (SELECT app.now()) THEN NULL
                ELSE m.status END
    FROM public.member m
    WHERE m.account_id = account
$$;

-- The one place that says who can be sent to: `reason` is null for them, else why not. Suppression goes before status: it
-- says more. Written to be inlined (no SET, not strict), so that it is one walk over the table, by whatever filter and order
-- the caller has; EXISTS, so that the planner may hash a short list and probe a long one: left joins for the reasons took
-- three times as long. No parallel worker may ask it, as its subqueries refer to the member; audience.sql counts otherwise.
CREATE OR REPLACE FUNCTION app.reach(account uuid, topic uuid)
    RETURNS TABLE (member_id uuid, tag bigint, facets jsonb, reason text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT m.member_id, m.tag, m.facets,
           CASE WHEN EXISTS (SELECT FROM public.suppression s
                             WHERE s.account_id = account AND s.hash = m.suppression_hash
                               AND s.scope IN ('all', 'global', 'topic:' || topic::text))
                  OR EXISTS (SELECT FROM public.suppression s
                             WHERE s.account_id = account AND s.hash = int8send(m.tag)
                               AND s.scope IN ('all', 'topic:' || topic::text))
                THEN (SELECT s.reason FROM public.suppression s
                      WHERE s.account_id = account AND s.hash IN (m.suppression_hash, int8send(m.tag))
                        AND s.scope IN ('all', 'global', 'topic:' || topic::text)
                      ORDER BY length(s.hash) DESC, s.scope LIMIT 1)
                ELSE m.standing END
    FROM app.standing(account) m
$$;
REVOKE ALL ON FUNCTION app.standing FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.standing TO todoku_vault;

-- Entries other than an address's for all mail: the operator's, those of a topic, those of a domain (8 bytes). Few beside
-- the others, and asked for apart from them.
CREATE INDEX suppression_apart ON suppression (account_id, scope, hash) WHERE scope <> 'all' OR length(hash) = 8;
