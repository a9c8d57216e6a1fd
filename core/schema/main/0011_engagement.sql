-- Each member's last open and click, for segments. Writers add deltas and never update a row in place; housekeeping
-- folds them.

CREATE TABLE engagement (
    account_id    uuid NOT NULL,
    member_id     uuid NOT NULL,
    last_open_at  timestamptz,
    last_click_at timestamptz,
    PRIMARY KEY (account_id, member_id)
) WITH (fillfactor = 80);
CREATE TABLE engagement_delta (
    delta_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id uuid NOT NULL,
    member_id  uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('open', 'click')),
    at         timestamptz NOT NULL
);

-- What was opened and clicked until now.
INSERT INTO engagement (account_id, member_id, last_open_at, last_click_at)
SELECT run.account_id, r.member_id, max(e.occurred_at) FILTER (WHERE e.kind = 'open'),
       max(e.occurred_at) FILTER (WHERE e.kind = 'click')
FROM event e JOIN recipient r USING (run_id, seq) JOIN run USING (run_id)
WHERE e.kind IN ('open', 'click')
GROUP BY 1, 2;

GRANT SELECT, INSERT, UPDATE, DELETE ON engagement, engagement_delta TO todoku_app;
GRANT INSERT ON engagement_delta TO todoku_tracker;
