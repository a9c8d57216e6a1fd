-- The members' own pages see one member: the one that a token or a session has proven, named for a transaction
-- (members/proven.py). Row security holds that, so the statements that everybody uses need no other form for the pages.

-- Null where nothing was proven: then no row is equal to it. Inlined, so that it can bound an index scan.
CREATE FUNCTION app.proven_account() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('todoku.account_id', true), '')::uuid $$;
CREATE FUNCTION app.proven_member() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('todoku.member_id', true), '')::uuid $$;
-- What the proven member is suppressed by, in hexadecimal digits: noted with the proof, as it outlives the member's row.
CREATE FUNCTION app.proven_hashes() RETURNS bytea[] LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT ARRAY[decode(current_setting('todoku.suppression_hash', true), 'hex'),
                       decode(current_setting('todoku.domain_hash', true), 'hex')] $$;
REVOKE ALL ON FUNCTION app.proven_account, app.proven_member, app.proven_hashes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.proven_account, app.proven_member, app.proven_hashes TO todoku_pages;

-- What members choose themselves ---------------------------------------------------------------------------------------

-- `tracking`: what may be noted of the member's reading: all of it, sums that name nobody, or nothing.
-- `least_days`: how many days lie between two campaigns' mails at least; null: as many as there are.
ALTER TABLE member
    ADD COLUMN tracking   text NOT NULL DEFAULT 'full' CHECK (tracking IN ('full', 'aggregate', 'none')),
    ADD COLUMN least_days smallint CHECK (least_days BETWEEN 1 AND 366);
-- Few ask for less: an audience asks for them alone.
CREATE INDEX member_less_often ON member (account_id, member_id) WHERE least_days IS NOT NULL;

-- Whether members may change an attribute on their own page.
ALTER TABLE attribute ADD COLUMN member_editable boolean NOT NULL DEFAULT false;

-- Row security ----------------------------------------------------------------------------------------------------------

-- The vault's role has BYPASSRLS, without which it could not COPY into these tables. Where it was not given that yet, a policy
-- of `true` lets it do all else; the planner drops it (a test compares plans).
DO $$
DECLARE
    place text;
BEGIN
    FOREACH place IN ARRAY ARRAY['member', 'keys.member_key', 'address_index', 'consent', 'consent_evidence', 'erased'] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', place);
        EXECUTE format('CREATE POLICY everybody ON %s TO todoku_vault USING (true)', place);
        EXECUTE format('CREATE POLICY proven ON %s TO todoku_pages
                        USING (account_id = app.proven_account() AND member_id = app.proven_member())', place);
    END LOOP;
    -- Locked while something is joined or sealed, never changed: what nobody may write is a lock alone.
    FOREACH place IN ARRAY ARRAY['keys.account', 'topic'] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', place);
        EXECUTE format('CREATE POLICY everybody ON %s TO todoku_vault USING (true)', place);
        EXECUTE format('CREATE POLICY seen ON %s FOR SELECT TO todoku_pages USING (true)', place);
        EXECUTE format('CREATE POLICY locked ON %s FOR UPDATE TO todoku_pages
                        USING (account_id = app.proven_account()) WITH CHECK (false)', place);
    END LOOP;
END $$;

ALTER TABLE suppression ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON suppression TO todoku_vault USING (true);
CREATE POLICY proven ON suppression TO todoku_pages
    USING (account_id = app.proven_account() AND hash = ANY (app.proven_hashes()));

-- Hashes of hashes, which name nobody; of the proven member's account all the same.
ALTER TABLE consent_link ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON consent_link TO todoku_vault USING (true);
CREATE POLICY proven ON consent_link FOR SELECT TO todoku_pages USING (account_id = app.proven_account());

-- Rights, which row security narrows to the proven member's rows.
GRANT SELECT, DELETE, UPDATE (status, paused_until, tracking, least_days, sealed, facets, tag, suppression_hash, revision,
                             updated_at) ON member TO todoku_pages;
GRANT SELECT, DELETE ON keys.member_key TO todoku_pages;
GRANT SELECT (account_id, member_id), DELETE ON address_index TO todoku_pages;
GRANT SELECT ON consent, consent_link TO todoku_pages;
GRANT INSERT (account_id, member_id, kind, scope, source, form_version, occurred_at, recorded_at, confirmed_at,
              commitment) ON consent TO todoku_pages;
GRANT SELECT, INSERT, DELETE ON consent_evidence TO todoku_pages;
-- UPDATE: to lock what is lifted.
GRANT SELECT, INSERT, UPDATE, DELETE ON suppression TO todoku_pages;
GRANT SELECT, INSERT ON erased TO todoku_pages;
-- Columns to be locked by while something is joined or sealed; `used` is set with an attribute's first value.
GRANT UPDATE (generation) ON keys.account TO todoku_pages;
GRANT UPDATE (revision) ON topic TO todoku_pages;
GRANT UPDATE (used) ON attribute TO todoku_pages;

-- Signing in -----------------------------------------------------------------------------------------------------------

-- Of a session only the SHA-256 of its 32 random bytes: what is in the cookie can't be made of it.
CREATE TABLE session (
    session_id   uuid PRIMARY KEY,
    account_id   uuid NOT NULL,
    member_id    uuid NOT NULL,
    digest       bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    created_at   timestamptz NOT NULL DEFAULT app.now(),
    last_seen_at timestamptz NOT NULL DEFAULT app.now(),
    expires_at   timestamptz NOT NULL,
    FOREIGN KEY (account_id, member_id) REFERENCES member ON DELETE CASCADE
);
CREATE INDEX session_by_member ON session (account_id, member_id);

-- A member's password, as argon2id remembers one.
CREATE TABLE credential (
    account_id uuid NOT NULL,
    member_id  uuid NOT NULL,
    verifier   text NOT NULL CHECK (verifier LIKE '$argon2id$%'),
    changed_at timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (account_id, member_id),
    FOREIGN KEY (account_id, member_id) REFERENCES member ON DELETE CASCADE
);

DO $$
DECLARE
    place text;
BEGIN
    FOREACH place IN ARRAY ARRAY['session', 'credential'] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', place);
        EXECUTE format('CREATE POLICY proven ON %s TO todoku_pages
                        USING (account_id = app.proven_account() AND member_id = app.proven_member())', place);
    END LOOP;
END $$;
GRANT SELECT, INSERT, DELETE ON session TO todoku_pages;
GRANT SELECT, INSERT, UPDATE, DELETE ON credential TO todoku_pages;

-- Before anybody has proven anything: whose session a cookie is of, and what an address's password is compared to. The first
-- answers only who knows 32 random bytes, the second only where a password was set.
CREATE FUNCTION app.session_of(cookie bytea)
    RETURNS TABLE (session_id uuid, account_id uuid, member_id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    -- Seen by the minute, so that not every page is a write.
    WITH seen AS (
        UPDATE session s SET last_seen_at = app.now()
        WHERE s.digest = cookie AND s.expires_at > app.now() AND s.last_seen_at < app.now() - interval '1 minute'
    )
    SELECT s.session_id, s.account_id, s.member_id FROM session s WHERE s.digest = cookie AND s.expires_at > app.now()
$$;
CREATE FUNCTION app.credential_of(account uuid, versions integer[], hashes bytea[])
    RETURNS TABLE (member_id uuid, verifier text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.member_id, c.verifier
    FROM unnest(versions, hashes) AS t (index_version, hmac)
    JOIN address_index a ON a.account_id = account AND a.index_version = t.index_version AND a.hmac = t.hmac
    JOIN credential c ON c.account_id = account AND c.member_id = a.member_id
    LIMIT 1
$$;
REVOKE ALL ON FUNCTION app.session_of, app.credential_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.session_of, app.credential_of TO todoku_pages;

-- By which rule a mail was sent is told to its member: what a rule compares with is hidden in it, unless it is open.
GRANT SELECT (account_id, segment_id, rule) ON segment TO todoku_pages;
