-- A file that went along with a mail, for who reads it again as a page: by the delivery that a signed token names and the
-- file's place (from 0) in the run's frozen content. No row: there is no such delivery, or no such file.
CREATE FUNCTION app.file_of_mail(run uuid, number integer, place integer)
    RETURNS TABLE (name text, content_type text, content bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.name, a.content_type, a.content
    FROM run r
    JOIN content c USING (content_id)
    JOIN attachment a ON a.account_id = r.account_id
        AND a.attachment_id = (c.body #>> ARRAY['attachments', place::text, 'attachment_id'])::uuid
    WHERE r.run_id = run AND place >= 0 AND EXISTS (SELECT FROM recipient x WHERE x.run_id = run AND x.seq = number)
$$;

REVOKE ALL ON FUNCTION app.file_of_mail FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.file_of_mail TO todoku_pages;
