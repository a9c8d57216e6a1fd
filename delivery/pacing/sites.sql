-- name: source
SELECT source_id FROM source WHERE name = $1;

-- name: add_source
-- Only where it is missing: a conflict uses up a number as well, and there are 32,767.
INSERT INTO source (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING source_id;

-- name: site
SELECT site_id, provider FROM site WHERE digest = $1;

-- name: add_site
INSERT INTO site (digest, provider) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING site_id;

-- name: name_provider
-- The rule file has another name for it now, or none any more.
UPDATE site SET provider = $2 WHERE site_id = $1 AND provider IS DISTINCT FROM $2;

-- name: remember
-- Arrays by position: $1 tag, $2 site. In the order of tags, so that no two batches wait for each other. What is known
-- is confirmed once a day at the most: rows that do not change are not written.
INSERT INTO destination AS d (tag, site_id, resolved_at)
SELECT tag, site_id, app.now() FROM unnest($1::bigint[], $2::int[]) AS a (tag, site_id) ORDER BY tag
ON CONFLICT (tag) DO UPDATE SET site_id = excluded.site_id, resolved_at = excluded.resolved_at
    WHERE d.site_id <> excluded.site_id OR d.resolved_at < excluded.resolved_at - interval '1 day';

-- name: of_tags
SELECT tag, site_id FROM destination WHERE tag = ANY ($1::bigint[]);
