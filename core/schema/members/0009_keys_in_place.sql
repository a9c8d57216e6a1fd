-- Exchanging a seal key writes every member's key anew. Half of each page is left free for that, so that the new row
-- stands beside the old one and no index is touched. Rows are small, and few statements read many of them; the table of
-- members itself is left dense, as every scan reads it.
ALTER TABLE keys.member_key SET (fillfactor = 50);
