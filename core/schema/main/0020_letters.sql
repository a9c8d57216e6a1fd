-- Letters: mail to one member outside of any campaign (confirm, log in, change an address). It goes the one way that mail
-- goes, as runs of a kind of their own.

ALTER TABLE run DROP CONSTRAINT run_kind_check,
    ADD CONSTRAINT run_kind_check CHECK (kind IN ('campaign', 'test', 'letter')),
    ALTER COLUMN campaign_id DROP NOT NULL,
    ADD CONSTRAINT run_is_of_a_campaign CHECK ((kind = 'letter') = (campaign_id IS NULL));

-- Asked for by inserting a row, by whoever may; taken up in batches (scheduler/letters/dispatch.py). `subject_id`: what it
-- is about, where that is more than the member: a request in the vault. What its link leads to is known by (run_id, seq).
-- `answered` is written once; `carried_at`: the vault knows.
CREATE TABLE letter (
    letter_id   uuid PRIMARY KEY,
    account_id  uuid NOT NULL REFERENCES account,
    member_id   uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('confirm', 'already_member', 'sign_in', 'confirm_new_address',
                                              'address_changing', 'erase', 'failed_log_ins', 'password_changed')),
    language    text,
    subject_id  uuid,
    asked_at    timestamptz NOT NULL DEFAULT app.now(),
    expires_at  timestamptz NOT NULL,
    run_id      uuid,
    seq         integer,
    dropped     text,
    answered    text CHECK (answered IN ('accepted', 'disowned')),
    answered_at timestamptz,
    carried_at  timestamptz,
    CHECK ((run_id IS NULL) = (seq IS NULL)),
    CHECK (run_id IS NULL OR dropped IS NULL),
    CHECK ((answered IS NULL) = (answered_at IS NULL))
);
CREATE UNIQUE INDEX letter_by_delivery ON letter (run_id, seq) WHERE run_id IS NOT NULL;
CREATE INDEX letter_waiting ON letter (asked_at) WHERE run_id IS NULL AND dropped IS NULL;
CREATE INDEX letter_to_carry ON letter (answered_at) WHERE answered IS NOT NULL AND carried_at IS NULL;
CREATE INDEX letter_by_member ON letter (account_id, member_id, asked_at);
CREATE INDEX letter_by_expiry ON letter (expires_at);

-- What was frozen for a kind in a language, by the digest of its document: runs of the same words share it.
CREATE TABLE letter_content (
    account_id uuid NOT NULL REFERENCES account,
    digest     bytea NOT NULL CHECK (length(digest) = 32),
    content_id uuid NOT NULL REFERENCES content,
    PRIMARY KEY (account_id, digest)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON letter TO todoku_app;
GRANT SELECT, INSERT ON letter_content TO todoku_app;
-- The pages ask for letters, open those that are brought to them, and note the answer: they make no mail.
GRANT SELECT ON letter TO todoku_pages;
GRANT INSERT (letter_id, account_id, member_id, kind, language, subject_id, expires_at) ON letter TO todoku_pages;
GRANT UPDATE (answered, answered_at) ON letter TO todoku_pages;
