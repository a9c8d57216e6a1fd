-- Whether mails hold the link that no reader sees: an account's choice, and a campaign's where it says otherwise.
ALTER TABLE account ADD COLUMN honeypot boolean NOT NULL DEFAULT true;
-- Null: as the account has it when the campaign is scheduled. What said so until now said what accounts say by themselves.
ALTER TABLE campaign ALTER COLUMN track_honeypot DROP DEFAULT, ALTER COLUMN track_honeypot DROP NOT NULL;
UPDATE campaign SET track_honeypot = NULL WHERE track_honeypot;
