-- As before, at less than a third of the cost: a snapshot asks it of every member, and a SQL function with subqueries is
-- started anew for each of them.
CREATE OR REPLACE FUNCTION app.traits(facets jsonb, attributes text[], segments jsonpath[], groups jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    plain   jsonb := facets -> 'open';
    joined  jsonb := facets -> 'groups';
    told    text := '';
    key     text;
    segment jsonpath;
BEGIN
    FOREACH key IN ARRAY attributes LOOP
        told := told || ',' || coalesce(to_json(plain ->> key)::text, 'null');
    END LOOP;
    FOREACH segment IN ARRAY segments LOOP
        told := told || CASE WHEN facets @@ segment THEN ',"true"' ELSE ',"false"' END;
    END LOOP;
    FOR n IN 0 .. coalesce(jsonb_array_length(joined), 0) - 1 LOOP
        key := joined ->> n;
        IF groups ? key THEN
            told := told || ',"' || key || '"';
        END IF;
    END LOOP;
    RETURN '[' || substr(told, 2) || ']';
END $$;
