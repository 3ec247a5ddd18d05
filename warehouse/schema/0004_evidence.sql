-- What bound a load, and what the machine did beside it.

ALTER TABLE loads ADD COLUMN pool_evicted_bytes BIGINT;
ALTER TABLE loads ADD COLUMN pool_streamed BOOLEAN;
ALTER TABLE loads ADD COLUMN storage_device_read_bytes BIGINT;
ALTER TABLE loads ADD COLUMN storage_device_reads BIGINT;
ALTER TABLE loads ADD COLUMN storage_device_busy_s DOUBLE;
ALTER TABLE loads ADD COLUMN cpu_pressure_s DOUBLE;
ALTER TABLE loads ADD COLUMN memory_pressure_s DOUBLE;
ALTER TABLE loads ADD COLUMN io_pressure_s DOUBLE;
ALTER TABLE loads ADD COLUMN machine_cpu_s DOUBLE;
ALTER TABLE loads ADD COLUMN steal_s DOUBLE;
ALTER TABLE loads ADD COLUMN throttled_s DOUBLE;
ALTER TABLE loads ADD COLUMN storage_bound_s DOUBLE;
ALTER TABLE loads ADD COLUMN copy_bound_s DOUBLE;
ALTER TABLE loads ADD COLUMN cpu_bound_s DOUBLE;
COMMENT ON COLUMN loads.pool_evicted_bytes IS 'of other models that made way in the pool; NULL: no pool';
COMMENT ON COLUMN loads.pool_streamed IS 'whether the model is larger than the pool and passed through it; NULL: no pool';
COMMENT ON COLUMN loads.storage_device_read_bytes IS 'read from the block device under the files meanwhile, by the whole machine';
COMMENT ON COLUMN loads.storage_device_reads IS 'requests of those reads';
COMMENT ON COLUMN loads.storage_device_busy_s IS 'the block device had a request in flight';
COMMENT ON COLUMN loads.cpu_pressure_s IS 'some task of the machine waited for a CPU';
COMMENT ON COLUMN loads.memory_pressure_s IS 'some task of the machine waited for memory';
COMMENT ON COLUMN loads.io_pressure_s IS 'some task of the machine waited for I/O';
COMMENT ON COLUMN loads.machine_cpu_s IS 'CPU time of all processes and of the kernel, to hundredths';
COMMENT ON COLUMN loads.steal_s IS 'CPU time that the hypervisor kept for others, to hundredths';
COMMENT ON COLUMN loads.throttled_s IS 'the control group was kept off the CPUs';
COMMENT ON COLUMN loads.storage_bound_s IS 'what the storage would take at best for what was read from it';
COMMENT ON COLUMN loads.copy_bound_s IS 'what copying the bytes would take at best';
COMMENT ON COLUMN loads.cpu_bound_s IS 'CPU time of the worker, spread over the threads of its loader';
COMMENT ON COLUMN loads.bound IS 'the slowest of storage, copy and cpu: see storage_bound_s, copy_bound_s and cpu_bound_s';
COMMENT ON COLUMN loads.efficiency IS 'the slower of storage_bound_s and copy_bound_s, over loading_time_s; over 1 the label or the roofline is wrong';

ALTER TABLE runs ADD COLUMN io_depth BIGINT;
ALTER TABLE runs ADD COLUMN io_size_bytes BIGINT;
COMMENT ON COLUMN runs.io_depth IS 'reads under way; NULL: the choice of the loader';
COMMENT ON COLUMN runs.io_size_bytes IS 'bytes of a read; NULL: the choice of the loader';

CREATE OR REPLACE VIEW load_facts AS
SELECT
    r.run_id, r.collect_id, l.session, l.seq, l.started_at,
    m.machine, r.model, r.format, r.loader, r.device, r.engine, r.benchmark_type,
    l.replica, l.warmup, l.loading_time_s, l.bytes,
    l.bytes / l.loading_time_s AS bytes_per_s,
    l.tensors, l.source_tier, l.file_bytes,
    l.resident_before_bytes, l.resident_after_bytes, l.storage_read_bytes,
    l.direct_io, l.pool_hit, l.pool_evicted_bytes, l.pool_streamed, l.verified,
    l.bound, l.efficiency, l.storage_bound_s, l.copy_bound_s, l.cpu_bound_s,
    i.end_to_end_time_s, i.throughput_tokens_per_s, i.time_to_first_token_s, i.decode_tokens_per_s,
    i.input_tokens, i.output_tokens, i.output_text, i.token_ids_sha256, i.unsupported AS inference_unsupported,
    coalesce(l.error, i.error) AS error,
    l.cpu_user_s, l.cpu_system_s, l.major_faults, l.minor_faults,
    l.voluntary_switches, l.involuntary_switches, l.peak_rss_bytes,
    l.storage_device_read_bytes, l.storage_device_reads, l.storage_device_busy_s,
    l.cpu_pressure_s, l.memory_pressure_s, l.io_pressure_s, l.machine_cpu_s, l.steal_s, l.throttled_s,
    l.device_memory_before_bytes, l.device_memory_after_bytes,
    s.setup_time_s, s.pool_bytes, s.pool_locked,
    r.dtype, r.num_replicas, r.num_thread, r.chunk_size_bytes, r.io_depth, r.io_size_bytes, r.mem_pool_size_bytes,
    r.page_cache, r.seed, r.status, r.sllmq_version, m.kernel, m.filesystem, m.storage_device,
    m.machine_id, r.tags
FROM loads l
JOIN runs r USING (run_id)
JOIN machines m USING (machine_id)
LEFT JOIN sessions s ON s.run_id = l.run_id AND s.session = l.session
LEFT JOIN inferences i ON i.run_id = l.run_id AND i.seq = l.seq;
COMMENT ON VIEW load_facts IS 'one wide row a load, joined with its run, machine, session and inference';
