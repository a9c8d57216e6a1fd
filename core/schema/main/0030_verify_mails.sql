-- `todoku verify` holds what was reported by mail against the mails that were taken in.
GRANT SELECT ON arrival TO todoku_app;
