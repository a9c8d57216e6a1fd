-- Who changed when campaigns and members are stopped, or what is noted of readers, is noted too.
ALTER TABLE audit DROP CONSTRAINT audit_action_check;
ALTER TABLE audit ADD CONSTRAINT audit_action_check CHECK (action IN (
    'member.searched', 'member.exported', 'member.erased', 'import.rejects_downloaded',
    'export.created', 'export.downloaded', 'suppression.exported', 'attribute.protection_changed',
    'account_key.added', 'account_key.promoted', 'account_key.resealed', 'account_key.retired',
    'account_key.rewrapped', 'api_key.created', 'api_key.revoked', 'account.changed'));
