-- Members that lag behind, each so-many-th of them as the run of re-sealing found them when it began: a worker takes what lies
-- between some of these and walks over it once, where it walked over it to learn where it ends, and then again to read it.
-- Ids never say what they are of: a bound of a member who is erased meanwhile stays good.
ALTER TABLE reseal ADD COLUMN bounds uuid[] NOT NULL DEFAULT '{}';
