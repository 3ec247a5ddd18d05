-- Which GPUs a machine has, and what is meant by the beginning of a request.
ALTER TABLE machines ADD COLUMN gpu_uuids VARCHAR;
COMMENT ON COLUMN machines.gpu_uuids IS 'of the GPUs, as NVML has them and in its order, with commas';
COMMENT ON COLUMN io_trace.queued_s IS 'when it was handed to the queue and could have been read, had a thread and a buffer been free, since the load began; NULL: not kept by the version that measured it';
