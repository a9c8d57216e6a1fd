-- What the workers of the pool `jobs` do.
ALTER TABLE job DROP CONSTRAINT job_kind_check;
ALTER TABLE job ADD CONSTRAINT job_kind_check CHECK (kind IN ('import', 'export', 'audience_slice', 'preview', 'reseal'));
