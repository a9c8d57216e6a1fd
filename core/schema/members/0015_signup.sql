-- Sign-up: what a form was sent, until its address has said yes; and a member's address that is not confirmed yet.

-- One row a form that was sent, sealed: who is in it can't be told, and the pages, which add it, can't read it. Processes
-- with the way into the vault take it up (members/signup): then it knows its member, and waits for the letter's answer.
-- `address_hash`: how often an address was asked for is counted by it.
CREATE TABLE signup_request (
    request_id   uuid PRIMARY KEY,
    account_id   uuid NOT NULL,
    sealed       bytea NOT NULL CHECK (length(sealed) <= 100000),
    asked_at     timestamptz NOT NULL DEFAULT app.now(),
    state        text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'lettered', 'waiting', 'ended', 'disowned')),
    member_id    uuid,
    -- Whether the member is there because of this form, or of one before it: then nobody else knows of them yet.
    made_member  boolean NOT NULL DEFAULT false,
    address_hash bytea,
    -- The letter that it comes to, none where nothing may be sent.
    letter       text CHECK (letter IN ('confirm', 'already_member')),
    language     text,
    CHECK (state <> 'waiting' OR member_id IS NOT NULL)
);
CREATE INDEX signup_request_new ON signup_request (asked_at) WHERE state = 'new';
CREATE INDEX signup_request_lettered ON signup_request (asked_at) WHERE state = 'lettered';
CREATE INDEX signup_request_by_address ON signup_request (account_id, address_hash, asked_at);
CREATE INDEX signup_request_by_member ON signup_request (account_id, member_id);
CREATE INDEX signup_request_by_age ON signup_request (asked_at);

-- Sealed under the member's own key, so that it goes with the member.
CREATE TABLE new_address (
    account_id uuid NOT NULL,
    member_id  uuid NOT NULL,
    sealed     bytea NOT NULL,
    tag        bigint NOT NULL,
    asked_at   timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (account_id, member_id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON signup_request, new_address TO todoku_vault;
GRANT INSERT (request_id, account_id, sealed) ON signup_request TO todoku_pages;

-- Forgets requests that are old, and whom they made if they never said yes: pending members without a consent who have no
-- request left. At most `most` of each at once; returns how many were forgotten: 0 at the end.
CREATE FUNCTION app.forget_unconfirmed(days integer, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    gone integer;
    accounts uuid[];
    members uuid[];
BEGIN
    WITH old AS (
        DELETE FROM signup_request WHERE request_id IN (
            SELECT request_id FROM signup_request
            WHERE asked_at < app.now() - make_interval(days => greatest(days, 1)) ORDER BY asked_at LIMIT most)
        RETURNING account_id, member_id, made_member
    )
    SELECT count(*), array_agg(account_id) FILTER (WHERE made_member), array_agg(member_id) FILTER (WHERE made_member)
    INTO gone, accounts, members FROM old;
    WITH unconfirmed AS (
        DELETE FROM member m USING (SELECT DISTINCT * FROM unnest(accounts, members) AS t (account_id, member_id)) AS o
        WHERE m.account_id = o.account_id AND m.member_id = o.member_id AND m.status = 'pending'
          AND NOT EXISTS (SELECT FROM consent c WHERE c.account_id = m.account_id AND c.member_id = m.member_id)
          AND NOT EXISTS (SELECT FROM signup_request r WHERE r.account_id = m.account_id AND r.member_id = m.member_id)
        RETURNING m.account_id, m.member_id
    ), unfound AS (
        DELETE FROM address_index a USING unconfirmed u WHERE a.account_id = u.account_id AND a.member_id = u.member_id
    ), unsealed AS (
        DELETE FROM keys.member_key k USING unconfirmed u WHERE k.account_id = u.account_id AND k.member_id = u.member_id
    )
    INSERT INTO erased (account_id, member_id) SELECT account_id, member_id FROM unconfirmed ON CONFLICT DO NOTHING;
    RETURN gone;
END $$;
REVOKE ALL ON FUNCTION app.forget_unconfirmed FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.forget_unconfirmed TO todoku_stops;
