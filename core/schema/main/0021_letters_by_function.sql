-- The pages open the letter that is brought to them, and can't list whom letters went to.

CREATE FUNCTION app.letter_of(run uuid, number integer)
    RETURNS TABLE (letter_id uuid, account_id uuid, member_id uuid, kind text, language text, subject_id uuid,
                   asked_at timestamptz, expired boolean, answered text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT l.letter_id, l.account_id, l.member_id, l.kind, l.language, l.subject_id, l.asked_at,
           l.expires_at <= app.now(), l.answered
    FROM letter l WHERE l.run_id = run AND l.seq = number
$$;

-- The first answer stands, whoever else is pressing the button just now. `mine`: whether this one is it.
CREATE FUNCTION app.answer_letter(letter uuid, said text) RETURNS TABLE (answered text, mine boolean)
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH noted AS (
        UPDATE letter l SET answered = said, answered_at = app.now()
        WHERE l.letter_id = $1 AND l.answered IS NULL
        RETURNING l.answered)
    SELECT n.answered, true FROM noted n
    UNION ALL
    SELECT l.answered, false FROM letter l WHERE l.letter_id = $1 AND NOT EXISTS (SELECT FROM noted)
$$;

CREATE FUNCTION app.letters_to(account uuid, member uuid, what text, seconds double precision) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM letter
    WHERE account_id = account AND member_id = member AND kind = what
      AND asked_at > app.now() - make_interval(secs => seconds)
$$;

REVOKE ALL ON FUNCTION app.letter_of, app.answer_letter, app.letters_to FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.letter_of, app.answer_letter, app.letters_to TO todoku_pages, todoku_app;
REVOKE SELECT, UPDATE (answered, answered_at) ON letter FROM todoku_pages;
-- Asking again for the same letter looks for its id.
GRANT SELECT (letter_id) ON letter TO todoku_pages;
