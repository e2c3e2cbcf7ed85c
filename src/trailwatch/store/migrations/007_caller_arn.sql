-- Whose credentials trailwatch works with: whoever tampers with them is told.
ALTER TABLE caller ADD COLUMN arn TEXT NOT NULL DEFAULT '';
