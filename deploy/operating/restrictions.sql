-- name: in_force
WITH n AS MATERIALIZED (SELECT app.now() AS now)
SELECT r.source_id, source.name AS source, r.site_id, site.provider, r.connections::int AS connections, r.rate,
       r.reason, r.imposed_by, r.ends_at, extract(epoch FROM r.ends_at - n.now)::float8 AS ends_in
FROM n CROSS JOIN restriction r LEFT JOIN source USING (source_id) LEFT JOIN site USING (site_id)
WHERE r.lifted_at IS NULL AND r.ends_at > n.now AND r.starts_at <= n.now
ORDER BY r.connections IS DISTINCT FROM 0, r.ends_at, r.restriction_id LIMIT 1000;
