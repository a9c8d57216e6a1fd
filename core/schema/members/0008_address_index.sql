-- The reference from an address to its member asked for a look-up a row, the dearest part of an import's writes. What it
-- held is held by the order of writes: whoever adds an address has made or locked the member's row in the same
-- transaction, and erasing deletes first the row and then its addresses.
ALTER TABLE address_index DROP CONSTRAINT address_index_account_id_member_id_fkey;
