-- Growth is kept as what it came to by the end of each quarter of an hour, so that any span is the difference of two rows,
-- however long it is and however old the list. Added up instead, three years of quarters took a third of a second.

ALTER TABLE growth RENAME COLUMN count TO total;
UPDATE growth g SET total = s.total
FROM (SELECT account_id, kind, quarter, sum(total) OVER (PARTITION BY account_id, kind ORDER BY quarter) AS total FROM growth) s
WHERE g.account_id = s.account_id AND g.kind = s.kind AND g.quarter = s.quarter;

-- One at a time, since a total is made of the one before. Who commits late counts in a quarter that others have passed:
-- all totals from there on are raised, which are one or two. Returns how many were folded.
CREATE OR REPLACE FUNCTION app.fold_growth(most integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
DECLARE
    found integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('growth', 0));
    WITH taken AS (
             DELETE FROM growth_delta
             WHERE delta_id = ANY (ARRAY(SELECT delta_id FROM growth_delta ORDER BY delta_id LIMIT most))
             RETURNING account_id, kind, quarter, count),
         begun AS (SELECT account_id, kind, min(quarter) AS quarter FROM taken GROUP BY account_id, kind),
         changed AS (
             SELECT account_id, kind, quarter, count FROM taken
             UNION ALL
             SELECT g.account_id, g.kind, g.quarter, 0 FROM begun b
             JOIN growth g ON g.account_id = b.account_id AND g.kind = b.kind AND g.quarter > b.quarter),
         raised AS (
             SELECT account_id, kind, quarter,
                    sum(sum(count)) OVER (PARTITION BY account_id, kind ORDER BY quarter) AS more
             FROM changed GROUP BY account_id, kind, quarter),
         folded AS (
             INSERT INTO growth (account_id, quarter, kind, total)
             SELECT r.account_id, r.quarter, r.kind, r.more + coalesce(
                        (SELECT g.total FROM growth g
                         WHERE g.account_id = r.account_id AND g.kind = r.kind AND g.quarter <= r.quarter
                         ORDER BY g.quarter DESC LIMIT 1), 0)
             FROM raised r
             ON CONFLICT (account_id, kind, quarter) DO UPDATE SET total = excluded.total)
    SELECT count(*) INTO found FROM taken;
    RETURN found;
END $$;
