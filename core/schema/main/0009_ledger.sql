-- Who is suppressed by hand gets nothing more of a run that is under way either.

ALTER TABLE stop DROP CONSTRAINT stop_reason_check,
    ADD CONSTRAINT stop_reason_check CHECK (reason IN ('unsubscribed', 'bounced', 'complained', 'erased', 'manual'));
