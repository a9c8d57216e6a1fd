-- What an account lets be noted of its mails' readers (`full`: who did what; `aggregate`: sums that name nobody; `none`), and
-- where its links lead, empty for the installation's own tracker. Who reads may choose less, never more.
ALTER TABLE account
    ADD COLUMN tracking     text NOT NULL DEFAULT 'full' CHECK (tracking IN ('full', 'aggregate', 'none')),
    ADD COLUMN tracking_url text NOT NULL DEFAULT '';

-- Whether HTML parts hold the link that no reader sees.
ALTER TABLE campaign ADD COLUMN track_honeypot boolean NOT NULL DEFAULT true;
