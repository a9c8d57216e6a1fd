-- What mails to a member were called: of runs that it was a recipient of, the frozen content without its long parts.
CREATE FUNCTION app.subjects_to(account uuid, member uuid, runs uuid[])
    RETURNS TABLE (run_id uuid, body jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.run_id, c.body || '{"html": "", "text": "", "preheader": ""}'
    FROM unnest(runs) AS wanted (run_id)
    JOIN run r USING (run_id)
    JOIN content c USING (content_id)
    CROSS JOIN LATERAL (SELECT FROM recipient x WHERE x.run_id = r.run_id AND x.member_id = member OFFSET 0) AS m
    WHERE r.account_id = account AND r.campaign_id IS NOT NULL
$$;

REVOKE ALL ON FUNCTION app.subjects_to FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.subjects_to TO todoku_pages;
