-- The members' own pages: what they may read of the vault before anybody has proven who they are, which is nothing of a
-- member: what a form asks for, and the rings to seal by.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'todoku_pages') THEN CREATE ROLE todoku_pages NOLOGIN; END IF;
END $$;
GRANT USAGE ON SCHEMA app, keys, public TO todoku_pages;
GRANT SELECT ON app.clock_offset TO todoku_pages;
GRANT SELECT ON attribute, attribute_name, topic TO todoku_pages;
GRANT SELECT ON keys.account, keys.ring, keys.installation, keys.epoch TO todoku_pages;
-- It holds keys, and says so as every such process.
GRANT SELECT, INSERT, UPDATE, DELETE ON keys.holder TO todoku_pages;
