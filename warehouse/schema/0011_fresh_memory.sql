-- What loads through the page cache depend on besides the storage: how far the
-- kernel reads ahead, and whether free memory has to be got from the host first.

ALTER TABLE machines ADD COLUMN free_page_reporting BOOLEAN;
ALTER TABLE machines ADD COLUMN storage_read_ahead_bytes BIGINT;
COMMENT ON COLUMN machines.free_page_reporting IS 'the balloon device gives free memory back to the host, which has to give it anew to whoever uses it next; NULL: no balloon is seen';
COMMENT ON COLUMN machines.storage_read_ahead_bytes IS 'how far the kernel reads ahead in a file that is read in order';

ALTER TABLE loads ADD COLUMN memory_touched_bytes BIGINT;
COMMENT ON COLUMN loads.memory_touched_bytes IS 'of free memory, touched and given back before the load, so that the page cache has not to wait for the host; NULL: none was, since the pages were kept, the load went past the page cache, or the machine is no virtual one';
