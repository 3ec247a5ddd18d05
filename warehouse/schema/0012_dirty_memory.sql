-- Loads from storage compete with data that the kernel is still writing to it.
ALTER TABLE loads ADD COLUMN dirty_before_bytes BIGINT;
