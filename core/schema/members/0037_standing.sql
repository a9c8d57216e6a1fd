-- Who counts by what stands against mail groups by columns of which the planner knows that they have few values. Of an
-- expression of several it multiplies what each of them has, thinks that there are as many groups as members, and brings
-- every member to one core to be counted there.

-- As before, and the status itself: `standing` is null or it.
DROP FUNCTION app.standing(uuid);
CREATE FUNCTION app.standing(account uuid)
    RETURNS TABLE (member_id uuid, tag bigint, facets jsonb, suppression_hash bytea, status text, standing text)
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT m.member_id, m.tag, m.facets, m.suppression_hash, m.status,
           CASE WHEN m.status = 'active' THEN NULL
                WHEN m.status = 'paused' AND m.paused_until <= (SELECT app.now()) THEN NULL
                ELSE m.status END
    FROM public.member m
    WHERE m.account_id = account
$$;
REVOKE ALL ON FUNCTION app.standing FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.standing TO todoku_vault;
