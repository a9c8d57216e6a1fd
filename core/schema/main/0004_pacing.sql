-- Where mail leaves, where it goes, and how fast it may: budgets that all workers share, and what waits for them.

-- A way out, known by its name in the settings: a relay, or direct delivery from a local address.
CREATE TABLE source (
    source_id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100)
);

-- A destination site: one set of MX hosts, or all of a provider's. Its digest is keyed, so that no member's domain can
-- be read or guessed from it; `provider` is a name out of the rule file. Site 0 stands for a relay's own door.
CREATE TABLE site (
    site_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest   bytea NOT NULL UNIQUE CHECK (length(digest) = 16),
    provider text
);
INSERT INTO site (site_id, digest) OVERRIDING SYSTEM VALUE VALUES (0, decode(repeat('00', 16), 'hex'));

-- Which site the domain of a tag was found at: what is known here needs no opening of members to be put aside.
CREATE TABLE destination (
    tag         bigint PRIMARY KEY,
    site_id     integer NOT NULL REFERENCES site,
    resolved_at timestamptz NOT NULL
);

-- How fast one source may go to one site at present. `slots` connections, each with its turns: slot n of a site with a
-- rate sends at phase_at + (k * slots + n) / rate, so that all workers together keep the rate within one message.
CREATE TABLE pace (
    source_id    smallint NOT NULL REFERENCES source,
    site_id      integer NOT NULL REFERENCES site,
    slots        smallint NOT NULL CHECK (slots >= 0),
    rate         double precision CHECK (rate > 0),
    phase_at     timestamptz NOT NULL,
    -- Postfix's feedback: connections allowed, what the last step down has paid for of the next, and cohorts' worth of
    -- failures since the last success.
    allowed      double precision NOT NULL CHECK (allowed >= 1),
    credit       double precision NOT NULL DEFAULT 0,
    failures     double precision NOT NULL DEFAULT 0,
    dead_times   smallint NOT NULL DEFAULT 0,
    -- A worker of the pool `fast` found every slot taken: bulk workers give one back.
    urgent_at    timestamptz NOT NULL DEFAULT '-infinity',
    -- The strictest limits that any worker has brought of late: two with different rule files must not take turns.
    connections  smallint NOT NULL CHECK (connections >= 1),
    limit_rate   double precision CHECK (limit_rate > 0),
    limits_at    timestamptz NOT NULL,
    PRIMARY KEY (source_id, site_id)
);

-- One row an allowed connection in use. It is its owner's while the owner's lease is alive.
CREATE TABLE permit (
    source_id smallint NOT NULL,
    site_id   integer NOT NULL,
    slot      smallint NOT NULL CHECK (slot >= 0),
    owner     uuid NOT NULL REFERENCES worker,
    PRIMARY KEY (source_id, site_id, slot),
    FOREIGN KEY (source_id, site_id) REFERENCES pace
);
CREATE INDEX permit_by_owner ON permit (owner);

-- How many connections a worker could use, for the others to know what is theirs. No row: none.
CREATE TABLE want (
    source_id   smallint NOT NULL,
    site_id     integer NOT NULL,
    owner       uuid NOT NULL REFERENCES worker,
    connections smallint NOT NULL CHECK (connections > 0),
    PRIMARY KEY (source_id, site_id, owner),
    FOREIGN KEY (source_id, site_id) REFERENCES pace
);
CREATE INDEX want_by_owner ON want (owner);

-- What an operator, a response rule or a dead host has imposed for a while. connections 0: nothing is sent there.
CREATE TABLE restriction (
    restriction_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id      smallint REFERENCES source,
    site_id        integer REFERENCES site,
    connections    smallint CHECK (connections >= 0),
    rate           double precision CHECK (rate > 0),
    starts_at      timestamptz NOT NULL DEFAULT app.now(),
    ends_at        timestamptz NOT NULL,
    reason         text NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
    imposed_by     text NOT NULL CHECK (imposed_by IN ('operator', 'rule', 'unreachable')),
    lifted_at      timestamptz,
    CHECK (source_id IS NOT NULL OR site_id IS NOT NULL),
    CHECK (connections IS NOT NULL OR rate IS NOT NULL)
);
CREATE INDEX restriction_in_force ON restriction (ends_at) WHERE lifted_at IS NULL;
-- What holds for one pair is looked up several times a second, while any number of unreachable sites may be suspended.
CREATE INDEX restriction_by_target ON restriction (source_id, site_id, ends_at) WHERE lifted_at IS NULL;

-- How often a response rule was met, for rules that act on the nth time within an hour.
CREATE TABLE rule_hit (
    rule      text NOT NULL,
    source_id smallint NOT NULL REFERENCES source,
    site_id   integer NOT NULL REFERENCES site,
    minute    timestamptz NOT NULL,
    hits      integer NOT NULL,
    PRIMARY KEY (rule, source_id, site_id, minute)
);

-- What of a source's daily cap (warm-up) is given out; a worker takes a part ahead and brings back what it did not use.
CREATE TABLE source_day (
    source_id smallint NOT NULL REFERENCES source,
    day       date NOT NULL,
    granted   integer NOT NULL CHECK (granted >= 0),
    PRIMARY KEY (source_id, day)
);
