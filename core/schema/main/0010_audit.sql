-- Who looked for members, took them out, erased them, or changed what opens them. Only ever added to: what is past its
-- time goes by one function that forgets nothing younger than 90 days, whoever calls it.

CREATE TABLE audit (
    audit_id    uuid PRIMARY KEY,
    account_id  uuid NOT NULL REFERENCES account,
    -- The API key that asked, as it is shown, or the operator at the command line.
    actor       text NOT NULL CHECK (actor ~ '^(operator|key_[0-9a-hjkmnp-tv-z]{26})$'),
    action      text NOT NULL CHECK (action IN (
        'member.searched', 'member.exported', 'member.erased', 'import.rejects_downloaded',
        'export.created', 'export.downloaded', 'suppression.exported', 'attribute.protection_changed',
        'account_key.added', 'account_key.promoted', 'account_key.resealed', 'account_key.retired',
        'account_key.rewrapped', 'api_key.created', 'api_key.revoked')),
    -- What it was done to: an id as it is shown, or the name of a whole list.
    object      text NOT NULL CHECK (object ~ '^[a-z][a-z0-9_]{0,99}$'),
    -- Figures, ids, names of fields: nothing of a person.
    detail      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object'),
    occurred_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX audit_by_account ON audit (account_id, audit_id);
CREATE INDEX audit_by_age ON audit (occurred_at);

CREATE FUNCTION app.forget_audit(kept_days integer) RETURNS void LANGUAGE sql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    DELETE FROM audit WHERE occurred_at < app.now() - make_interval(days => greatest(kept_days, 90))
$$;
REVOKE ALL ON FUNCTION app.forget_audit FROM PUBLIC;

GRANT SELECT, INSERT ON audit TO todoku_app;
GRANT EXECUTE ON FUNCTION app.forget_audit TO todoku_app;
