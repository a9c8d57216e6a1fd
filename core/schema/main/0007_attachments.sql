-- Files that templates send along: attachments, and images shown in the text. Stored once, named by template versions.

CREATE TABLE attachment (
    attachment_id uuid PRIMARY KEY,
    account_id    uuid NOT NULL REFERENCES account,
    name          text NOT NULL,
    content_type  text NOT NULL,
    size          integer NOT NULL CHECK (size > 0),
    sha256        bytea NOT NULL,
    content       bytea NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT app.now()
);
-- Pictures are compressed already.
ALTER TABLE attachment ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX attachment_by_account ON attachment (account_id, attachment_id);
CREATE TRIGGER attachment_is_frozen BEFORE UPDATE ON attachment FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE template_attachment (
    template_id   uuid NOT NULL,
    version       integer NOT NULL,
    position      integer NOT NULL,
    attachment_id uuid NOT NULL REFERENCES attachment,
    PRIMARY KEY (template_id, version, position),
    UNIQUE (template_id, version, attachment_id),
    FOREIGN KEY (template_id, version) REFERENCES template_version
);
CREATE INDEX template_attachment_by_attachment ON template_attachment (attachment_id);

GRANT SELECT, INSERT, DELETE ON attachment TO todoku_app;
-- A version keeps what it names, so that what was sent can be shown again.
GRANT SELECT, INSERT ON template_attachment TO todoku_app;
