-- What of a member a run's reports tell recipients apart by (members/traits.py), as a JSON list: the values of open
-- attributes by key, whether each segment's rule holds, and the groups of those asked for. Nothing sealed and no keyed index
-- is read: a rule that asks for one is not among the segments.
CREATE FUNCTION app.traits(facets jsonb, attributes text[], segments jsonpath[], groups jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_json(ARRAY(SELECT facets -> 'open' ->> a.key FROM unnest(attributes) AS a (key))
                         || ARRAY(SELECT CASE WHEN facets @@ s.path THEN 'true' ELSE 'false' END
                                  FROM unnest(segments) AS s (path))
                         || ARRAY(SELECT g.id FROM jsonb_array_elements_text(facets -> 'groups') AS g (id)
                                  WHERE groups ? g.id))::text
$$;
REVOKE ALL ON FUNCTION app.traits FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.traits TO todoku_vault;
