-- A topic that is left stops that topic's mail of runs that are under way, as leaving all mail stops all of it.

-- Scopes are written as the vault writes them: `all`, or `topic:` and the topic's UUID in lower case with hyphens.
-- Whoever answers a member that a topic is left inserts (account_id, member_id, 'topic:<uuid>', 'unsubscribed',
-- app.now()) in the transaction that answers, with ON CONFLICT DO NOTHING and without carried_at: intents heed it from its
-- COMMIT on, and housekeeping carries it into the vault, where the member leaves the topic, the address is suppressed for it
-- and the ledger has the withdrawal. A consent to the topic given more than 5 s later lifts it.
ALTER TABLE stop ADD CONSTRAINT stop_scope CHECK (scope = 'all' OR scope LIKE 'topic:%');

-- The topic that a run writes about, if its audience names one: intents ask for its stops too.
ALTER TABLE run ADD COLUMN topic_id uuid;

-- Of runs that are there already, read from the id as it is shown: 26 digits of Crockford's base32, 5 bits each, behind
-- 2 bits that are zero.
UPDATE run SET topic_id = (
    SELECT string_agg(to_hex(substr(bits.text, 3 + 4 * n, 4)::bit(4)::integer), '' ORDER BY n)::uuid
    FROM (SELECT string_agg((strpos('0123456789abcdefghjkmnpqrstvwxyz', digit) - 1)::bit(5)::text, '' ORDER BY place)
          FROM unnest(string_to_array(substr(audience ->> 'topic', 5), NULL)) WITH ORDINALITY AS d (digit, place))
             AS bits (text),
         generate_series(0, 31) AS n)
WHERE audience ? 'topic';
