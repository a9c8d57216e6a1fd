-- People and machines. Each event keeps the batch that it came in and the agent that asked for it, and is labelled: when it
-- comes by its agent, and once more, when its batch is settled, by what else that recipient's mail was asked for meanwhile.

-- A honeypot is the hidden link, which only machines follow: no click, and in no figure.
ALTER TABLE event DROP CONSTRAINT event_kind_check;
ALTER TABLE event ADD CONSTRAINT event_kind_check CHECK (kind IN ('open', 'click', 'unsubscribe', 'honeypot'));

-- What came before this has no batch, and counts as a person's until `todoku relabel` judges it.
ALTER TABLE event
    ADD COLUMN batch_id uuid,
    ADD COLUMN place    smallint,
    ADD COLUMN agent    bigint NOT NULL DEFAULT 0,
    ADD COLUMN label    text NOT NULL DEFAULT 'human' CHECK (label IN ('human', 'machine')),
    ADD COLUMN rule     text;
-- Batch ids grow with time, so that this grows at its end alone. It finds a batch to settle, and one to be stored again.
CREATE INDEX event_by_batch ON event (batch_id, place);

-- User agents by a hash of their text; 0 is of who named none. As many as the tracker adds, which is bounded.
CREATE TABLE agent (
    agent bigint PRIMARY KEY,
    text  text NOT NULL CHECK (length(text) <= 300)
);

-- A batch is the queue's entry too: it is settled a fixed time after it came.
ALTER TABLE ingest_batch ADD COLUMN settled_at timestamptz;
UPDATE ingest_batch SET settled_at = at;
CREATE INDEX ingest_batch_unsettled ON ingest_batch (at) WHERE settled_at IS NULL;

-- One row, which whoever settles or relabels holds locked: whatever came before `until` is settled.
CREATE TABLE settlement (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    until  timestamptz NOT NULL
);
INSERT INTO settlement (until) VALUES (app.now());

INSERT INTO first_event (run_id, seq, kind, link)
SELECT run_id, seq, 'human_' || kind, link FROM first_event WHERE kind IN ('open', 'click');
INSERT INTO tally_delta (run_id, kind, link, total, people)
SELECT run_id, 'human_' || kind, link, sum(total), sum(people)
FROM (SELECT run_id, kind, link, total, people FROM tally
      UNION ALL
      SELECT run_id, kind, link, total, people FROM tally_delta) n
WHERE kind IN ('open', 'click')
GROUP BY run_id, kind, link;

-- When a stop came to be known here, which is later than it happened where Postgres was away: intents heed it from then on.
ALTER TABLE stop ADD COLUMN known_at timestamptz;
UPDATE stop SET known_at = occurred_at;
ALTER TABLE stop ALTER COLUMN known_at SET DEFAULT app.now(), ALTER COLUMN known_at SET NOT NULL;

GRANT SELECT ON agent TO todoku_app;
GRANT SELECT, INSERT ON agent TO todoku_tracker;
GRANT SELECT, UPDATE ON settlement TO todoku_app;
-- A last open is a person's, which is known once it is settled.
REVOKE ALL ON engagement_delta FROM todoku_tracker;
