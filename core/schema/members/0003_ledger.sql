-- Member status as a closed state machine, topics, suppressions by scope, and the consent ledger as a chain of hashes.

-- Status ------------------------------------------------------------------------------------------------------------

ALTER TABLE member DROP CONSTRAINT member_status_check;
UPDATE member SET status = 'pending' WHERE status = 'unconfirmed';
ALTER TABLE member
    ADD COLUMN paused_until timestamptz,
    ADD CONSTRAINT member_status_check CHECK (status IN ('pending', 'active', 'paused', 'unsubscribed', 'bounced')),
    ADD CONSTRAINT member_is_paused_until CHECK ((status = 'paused') = (paused_until IS NOT NULL));

-- The only ways from status to status; members/status.py asks, the database holds.
CREATE FUNCTION app.member_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('pending', 'active'), ('pending', 'unsubscribed'), ('pending', 'bounced'),
        ('active', 'paused'), ('active', 'unsubscribed'), ('active', 'bounced'),
        ('paused', 'active'), ('paused', 'unsubscribed'), ('paused', 'bounced'),
        ('unsubscribed', 'active'),
        ('bounced', 'active'), ('bounced', 'pending'), ('bounced', 'unsubscribed')
    ) THEN
        RAISE EXCEPTION 'a member cannot go from % to %', OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER member_transition BEFORE UPDATE OF status ON member FOR EACH ROW
    WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION app.member_transition();

-- Erased is no row: what is left is the id, so that no late writer and no restored backup brings the member back.
CREATE TABLE erased (
    account_id uuid NOT NULL,
    member_id  uuid NOT NULL,
    erased_at  timestamptz NOT NULL DEFAULT app.now(),
    PRIMARY KEY (account_id, member_id)
);

-- Once a statement: a trigger a row cost as much as the row. A probe a row of the index, whatever has been erased.
CREATE FUNCTION app.refuse_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM public.erased)
       AND EXISTS (SELECT FROM added a CROSS JOIN LATERAL (
                       SELECT FROM public.erased e
                       WHERE e.account_id = a.account_id AND e.member_id = a.member_id OFFSET 0) AS e) THEN
        RAISE EXCEPTION 'a member of these was erased' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER member_was_erased AFTER INSERT ON member REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_erased();

-- Topics ------------------------------------------------------------------------------------------------------------

-- What members choose to be written about; who is in one stands in facets, as groups do.
CREATE TABLE topic (
    topic_id   uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    name       text NOT NULL,
    label      jsonb NOT NULL DEFAULT '{}',
    revision   integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    UNIQUE (account_id, name)
);

-- Suppressions ------------------------------------------------------------------------------------------------------

-- `hash`: 32 bytes for an address (the account's suppression key), 8 for a domain (the destination tag). Scopes: `all`
-- of the account's mail, one topic's, or `global`: set by the installation's operator, in every account.
ALTER TABLE suppression ADD CONSTRAINT suppression_scope CHECK (scope IN ('all', 'global') OR scope LIKE 'topic:%');

-- What the operator suppresses in accounts that are made later too, by an HMAC under the installation's own key.
CREATE TABLE global_suppression (
    hash        bytea PRIMARY KEY CHECK (length(hash) = 32),
    reason      text NOT NULL CHECK (reason IN ('unsubscribed', 'bounced', 'complained', 'manual')),
    occurred_at timestamptz NOT NULL DEFAULT app.now()
);
ALTER TABLE keys.installation DROP CONSTRAINT installation_purpose_check,
    ADD CONSTRAINT installation_purpose_check CHECK (purpose IN ('destination_tag', 'suppression'));

-- The one place that says who can be sent to: `reason` is null for them, else why not. Suppression goes before status: it
-- says more. A paused member whose time has come is sent to at once. Written to be inlined (no SET, not strict), so that
-- it is one walk over the table, by whatever filter and order the caller has; EXISTS, so that the planner may hash a short
-- list and probe a long one: left joins for the reasons took three times as long.
CREATE FUNCTION app.reach(account uuid, topic uuid)
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
                WHEN m.status = 'active' THEN NULL
                WHEN m.status = 'paused' AND m.paused_until <= (SELECT app.now()) THEN NULL
                ELSE m.status END
    FROM public.member m
    WHERE m.account_id = account
$$;

-- The consent ledger --------------------------------------------------------------------------------------------------

-- Where a consent came from (an IP address), sealed under the member's own key, so that it goes with the member. The
-- ledger holds a commitment to it under a random salt, which is sealed here too.
CREATE TABLE consent_evidence (
    account_id uuid NOT NULL,
    member_id  uuid NOT NULL,
    commitment bytea NOT NULL CHECK (length(commitment) = 32),
    sealed     bytea NOT NULL,
    PRIMARY KEY (account_id, member_id, commitment)
);

-- A record is known by the SHA-256 of what Postgres sends a row of these columns as: how many they are, then of each the
-- type, the length (-1: null) and the bytes. So no two records are written the same way, and one call a row does it.
-- members/consents/chain.py writes the same. Inlined where it is called.
CREATE FUNCTION app.consent_hash(account_id uuid, member_id uuid, kind text, scope text, source text, form_version text,
                                 occurred_at timestamptz, recorded_at timestamptz, confirmed_at timestamptz,
                                 commitment bytea)
    RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(record_send(ROW($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)))
$$;

-- A record's content may expire: then `kept` holds the hash that it had, and nothing else is left of it but its place.
-- `batch`: the statement that wrote it, set by chain_begins.
ALTER TABLE consent
    ALTER COLUMN member_id DROP NOT NULL,
    ALTER COLUMN kind DROP NOT NULL,
    ALTER COLUMN scope DROP NOT NULL,
    ALTER COLUMN source DROP NOT NULL,
    ALTER COLUMN occurred_at DROP NOT NULL,
    ALTER COLUMN recorded_at DROP NOT NULL,
    ADD COLUMN form_version text,
    ADD COLUMN confirmed_at timestamptz,
    ADD COLUMN commitment bytea,
    ADD COLUMN batch bigint NOT NULL DEFAULT 0,
    ADD COLUMN kept bytea,
    ADD CONSTRAINT consent_scope CHECK (scope = 'all' OR scope LIKE 'topic:%'),
    ADD CONSTRAINT consent_is_whole_or_expired CHECK (CASE WHEN kept IS NULL
        THEN num_nulls(member_id, kind, scope, source, occurred_at, recorded_at) = 0
        ELSE num_nonnulls(member_id, kind, scope, source, occurred_at, recorded_at, form_version, confirmed_at,
                          commitment) = 0 END);
CREATE SEQUENCE consent_batch;

-- One link a statement and account: what it added, and the link before. `digest` is over the hashes of its records in
-- the order of their bytes; `hash` over all other columns in their order, after a byte for the format.
CREATE TABLE consent_link (
    account_id uuid NOT NULL,
    no         bigint NOT NULL CHECK (no > 0),
    batch      bigint NOT NULL,
    records    bigint NOT NULL CHECK (records > 0),
    digest     bytea NOT NULL,
    previous   bytea NOT NULL,
    at         timestamptz NOT NULL,
    hash       bytea NOT NULL,
    PRIMARY KEY (account_id, no),
    UNIQUE (account_id, batch)
);
-- Where an account's chain ends: locked as a statement ends, so that chains never fork.
CREATE TABLE consent_head (
    account_id uuid PRIMARY KEY,
    no         bigint NOT NULL,
    hash       bytea NOT NULL
);

CREATE FUNCTION app.add_consent_link(account uuid, written bigint, records bigint, digest bytea) RETURNS void
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    head consent_head;
    at timestamptz := app.now();
    link bytea;
BEGIN
    INSERT INTO consent_head (account_id, no, hash) VALUES (account, 0, decode(repeat('00', 32), 'hex'))
    ON CONFLICT DO NOTHING;
    SELECT * INTO STRICT head FROM consent_head WHERE account_id = account FOR UPDATE;
    link := sha256('\x01'::bytea || uuid_send(account) || int8send(head.no + 1) || int8send(written)
                   || int8send(records) || digest || head.hash || timestamptz_send(at));
    INSERT INTO consent_link VALUES (account, head.no + 1, written, records, digest, head.hash, at, link);
    UPDATE consent_head SET no = head.no + 1, hash = link WHERE account_id = account;
END $$;

-- Numbers the statement: its rows take the number by the default of their column.
CREATE FUNCTION app.chain_begins() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM set_config('todoku.consent_batch', nextval('consent_batch')::text, true);
    RETURN NULL;
END $$;
CREATE TRIGGER consent_chain_begins BEFORE INSERT ON consent FOR EACH STATEMENT EXECUTE FUNCTION app.chain_begins();
ALTER TABLE consent ALTER COLUMN batch SET DEFAULT current_setting('todoku.consent_batch')::bigint;

-- Accounts in order, so that two statements about several of them never wait for each other in a circle. Texts are sent in
-- the client's encoding, so that is said here.
CREATE FUNCTION app.chain_grows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET client_encoding = 'UTF8' AS $$
BEGIN
    PERFORM app.add_consent_link(part.account_id, part.batch, part.records, part.digest)
    FROM (SELECT account_id, batch, count(*) AS records, sha256(string_agg(hash, ''::bytea ORDER BY hash)) AS digest
          FROM (SELECT account_id, batch,
                       app.consent_hash(account_id, member_id, kind, scope, source, form_version, occurred_at,
                                        recorded_at, confirmed_at, commitment) AS hash
                FROM added) AS hashed
          GROUP BY account_id, batch ORDER BY account_id, batch) AS part;
    RETURN NULL;
END $$;
CREATE TRIGGER consent_chain_grows AFTER INSERT ON consent REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION app.chain_grows();

-- What was there before the chain is its first link.
SELECT app.add_consent_link(part.account_id, 0, part.records, part.digest)
FROM (SELECT account_id, count(*) AS records, sha256(string_agg(hash, ''::bytea ORDER BY hash)) AS digest
      FROM (SELECT account_id, app.consent_hash(account_id, member_id, kind, scope, source, form_version, occurred_at,
                                                recorded_at, confirmed_at, commitment) AS hash
            FROM consent) AS hashed
      GROUP BY account_id) AS part;

-- Forgets the content of records whose time is over: of members that are not mailed any more, `keep` days after the
-- last that was recorded of them, or after their erasure. Goes over at most `most` members after (account, member), and
-- says how far it came: null, null at the end. Nothing younger than a month expires, whoever asks.
CREATE FUNCTION app.expire_consents(keep integer, account uuid, member uuid, most integer,
                                    OUT expired integer, OUT last_account uuid, OUT last_member uuid)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET client_encoding = 'UTF8' AS $$
DECLARE
    before timestamptz := app.now() - make_interval(days => greatest(keep, 31));
BEGIN
    WITH part AS MATERIALIZED (
        SELECT DISTINCT c.account_id, c.member_id FROM consent c
        WHERE (c.account_id, c.member_id) > (account, member)
        ORDER BY c.account_id, c.member_id LIMIT most
    ), quiet AS MATERIALIZED (
        SELECT p.account_id, p.member_id FROM part p
        WHERE NOT EXISTS (SELECT FROM member m WHERE m.account_id = p.account_id AND m.member_id = p.member_id
                            AND m.status IN ('pending', 'active', 'paused'))
          AND NOT EXISTS (SELECT FROM consent c WHERE c.account_id = p.account_id AND c.member_id = p.member_id
                            AND c.recorded_at >= before)
          AND NOT EXISTS (SELECT FROM erased e WHERE e.account_id = p.account_id AND e.member_id = p.member_id
                            AND e.erased_at >= before)
    ), unproven AS (
        DELETE FROM consent_evidence e USING quiet q WHERE e.account_id = q.account_id AND e.member_id = q.member_id
    ), emptied AS (
        UPDATE consent c
        SET kept = app.consent_hash(c.account_id, c.member_id, c.kind, c.scope, c.source, c.form_version, c.occurred_at,
                                    c.recorded_at, c.confirmed_at, c.commitment),
            member_id = NULL, kind = NULL, scope = NULL, source = NULL, occurred_at = NULL,
            recorded_at = NULL, form_version = NULL, confirmed_at = NULL, commitment = NULL
        FROM quiet q WHERE c.account_id = q.account_id AND c.member_id = q.member_id
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM emptied), p.account_id, p.member_id INTO expired, last_account, last_member
    FROM part p ORDER BY p.account_id DESC, p.member_id DESC LIMIT 1;
    expired := coalesce(expired, 0);
END $$;

-- A stop becomes a suppression, a status, and, where it is the member's own word, a withdrawal. A consent given later
-- than a stop outlives it. Of several stops of one member the member's own word goes first.
CREATE OR REPLACE FUNCTION app.carry_stops(accounts uuid[], members uuid[], reasons text[], times timestamptz[])
    RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH s AS (
        SELECT DISTINCT ON (account_id, member_id) *, reason NOT IN ('bounced', 'manual') AS by_member
        FROM unnest(accounts, members, reasons, times) AS t (account_id, member_id, reason, occurred_at)
        ORDER BY account_id, member_id, reason IN ('bounced', 'manual'), occurred_at DESC
    ), due AS (
        SELECT s.*, m.suppression_hash
        FROM s JOIN member m USING (account_id, member_id)
        WHERE NOT EXISTS (SELECT FROM consent c WHERE c.account_id = s.account_id AND c.member_id = s.member_id
                            AND c.kind = 'given' AND c.scope = 'all'
                            AND c.occurred_at > s.occurred_at + interval '5 seconds')
          AND NOT EXISTS (SELECT FROM consent c WHERE c.account_id = s.account_id AND c.member_id = s.member_id
                            AND c.kind = 'withdrawn' AND c.scope = 'all' AND c.occurred_at = s.occurred_at)
    ), suppressed AS (
        INSERT INTO suppression (account_id, hash, reason, occurred_at)
        SELECT account_id, suppression_hash, reason, occurred_at FROM due
        ON CONFLICT DO NOTHING
        RETURNING reason
    ), moved AS (
        UPDATE member m
        SET status = CASE WHEN d.by_member THEN 'unsubscribed' ELSE 'bounced' END, paused_until = NULL,
            revision = m.revision + 1, updated_at = app.now()
        FROM due d
        WHERE m.account_id = d.account_id AND m.member_id = d.member_id
          AND (d.by_member AND m.status <> 'unsubscribed'
               OR d.reason = 'bounced' AND m.status IN ('pending', 'active', 'paused'))
    ), noted AS (
        -- A bounce takes no consent back: it says that the address does not work.
        INSERT INTO consent (account_id, member_id, kind, source, occurred_at)
        SELECT account_id, member_id, 'withdrawn', reason, occurred_at FROM due WHERE by_member
        RETURNING 1
    )
    SELECT ((SELECT count(*) FROM noted) + (SELECT count(*) FROM suppressed WHERE reason IN ('bounced', 'manual')))::integer
$$;

-- Who may do what -----------------------------------------------------------------------------------------------------

GRANT SELECT, INSERT, UPDATE, DELETE ON topic, consent_evidence, global_suppression TO todoku_vault;
GRANT SELECT, INSERT ON erased TO todoku_vault;
GRANT SELECT ON consent_link, consent_head TO todoku_vault;
-- What makes the chain is the database's alone.
REVOKE INSERT ON consent FROM todoku_vault;
GRANT INSERT (account_id, member_id, kind, scope, source, form_version, occurred_at, recorded_at, confirmed_at,
              commitment) ON consent TO todoku_vault;
REVOKE ALL ON FUNCTION app.reach, app.consent_hash, app.add_consent_link, app.chain_begins, app.chain_grows, app.expire_consents,
    app.member_transition, app.refuse_erased FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.reach TO todoku_vault;
GRANT EXECUTE ON FUNCTION app.expire_consents TO todoku_stops;
