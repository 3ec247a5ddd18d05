-- What comparisons watch: the driver and the system's settings stand beside each load.

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
    m.machine_id,
    m.gpu_model, m.gpu_driver, m.huge_pages, m.cpu_governor, r.model_revision, r.tags
FROM loads l
JOIN runs r USING (run_id)
JOIN machines m USING (machine_id)
LEFT JOIN sessions s ON s.run_id = l.run_id AND s.session = l.session
LEFT JOIN inferences i ON i.run_id = l.run_id AND i.seq = l.seq;
COMMENT ON VIEW load_facts IS 'one wide row a load, joined with its run, machine, session and inference';
