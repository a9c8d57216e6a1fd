-- Keys and protections change while everybody reads and writes.

-- One row an account. Whoever seals or indexes holds it FOR KEY SHARE at the generation that they made their rows by;
-- each change of the ring or of an attribute's protection moves it on, and waits for those who hold it.
CREATE TABLE keys.account (
    account_id uuid PRIMARY KEY,
    generation integer NOT NULL DEFAULT 1 CHECK (generation > 0)
);
INSERT INTO keys.account (account_id) SELECT DISTINCT account_id FROM keys.ring;

-- A retired version opens nothing: its key is destroyed. `generation` and `epoch` are those of the version's last change
-- of state: of a primary version, those that it became primary with.
UPDATE keys.ring SET wrapped = '' WHERE state = 'retired';
ALTER TABLE keys.ring
    ADD COLUMN generation integer NOT NULL DEFAULT 1,
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
    ADD FOREIGN KEY (account_id) REFERENCES keys.account,
    ADD CHECK ((state = 'retired') = (wrapped = ''));

-- Grows with each change of any ring, so that a process sees by one number whether it must read its rings again.
CREATE TABLE keys.epoch (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch    bigint NOT NULL
);
INSERT INTO keys.epoch (epoch) VALUES (1);

-- The living processes that open rings, and the epoch up to which each has read them.
CREATE TABLE keys.holder (
    holder      uuid PRIMARY KEY,
    kind        text NOT NULL,
    epoch       bigint NOT NULL,
    alive_until timestamptz NOT NULL
);

-- The generation whose form the whole member has: key, profile, index and facets. Who changes a part of a member that
-- lags behind leaves it as it is; creating and re-sealing set it. Not indexed, so that re-sealing can be a HOT update.
ALTER TABLE member ADD COLUMN generation integer NOT NULL DEFAULT 1;

-- Set while members are brought over to a new protection: the generation that all of them must have reached.
ALTER TABLE attribute ADD COLUMN resealing integer;

-- How far the re-sealing of an account has come: `after` is the last member of the present pass that was looked at.
CREATE TABLE reseal (
    account_id  uuid PRIMARY KEY,
    goal        integer NOT NULL,
    state       text NOT NULL CHECK (state IN ('running', 'done')),
    pass        integer NOT NULL DEFAULT 1,
    after       uuid NOT NULL,
    total       bigint NOT NULL DEFAULT 0,
    done        bigint NOT NULL DEFAULT 0,
    unreadable  bigint NOT NULL DEFAULT 0,
    started_at  timestamptz NOT NULL DEFAULT app.now(),
    finished_at timestamptz,
    CHECK ((state = 'done') = (finished_at IS NOT NULL))
);

GRANT SELECT, INSERT, UPDATE, DELETE ON keys.account, keys.epoch, keys.holder, reseal TO todoku_vault;
