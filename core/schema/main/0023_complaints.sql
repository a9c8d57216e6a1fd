-- Complaints are judged by the accepted, as reports do: what was accepted when a person last had the run go on.
ALTER TABLE run ADD COLUMN watch_from_accepted integer NOT NULL DEFAULT 0;
