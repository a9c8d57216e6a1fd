-- A member's change of address, asked for on their own page: both addresses are asked by letters about the same `change_id`, and
-- only that very change is made once both have said yes, not one that was asked for since.
ALTER TABLE new_address ADD COLUMN change_id uuid;

ALTER TABLE new_address ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON new_address TO todoku_vault USING (true);
CREATE POLICY proven ON new_address TO todoku_pages
    USING (account_id = app.proven_account() AND member_id = app.proven_member());
GRANT SELECT, INSERT, UPDATE, DELETE ON new_address TO todoku_pages;
