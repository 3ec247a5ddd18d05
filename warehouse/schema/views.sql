-- The views for people. Their column names are a promise. Applied again to every
-- warehouse whenever this text changes.
--
-- load_facts has warm-up and failed loads too; summary and comparison count them and
-- exclude them from their figures.

CREATE OR REPLACE VIEW load_facts AS
SELECT
    r.run_id, r.collect_id, l.session, l.seq, l.started_at,
    m.machine, r.model, r.format, r.loader, r.device, r.engine, r.benchmark_type,
    l.replica, l.warmup, l.loading_time_s, l.bytes,
    l.bytes / l.loading_time_s AS bytes_per_s,
    l.tensors, l.source_tier, l.file_bytes,
    l.memory_touched_bytes, l.dirty_before_bytes, l.resident_before_bytes, l.resident_after_bytes, l.storage_read_bytes,
    l.direct_io, l.pool_hit, l.pool_evicted_bytes, l.pool_streamed, l.verified,
    l.bound, l.efficiency, l.storage_bound_s, l.copy_bound_s, l.host_to_device_bound_s, l.cpu_bound_s,
    i.end_to_end_time_s, i.throughput_tokens_per_s, i.time_to_first_token_s, i.decode_tokens_per_s,
    i.input_tokens, i.output_tokens, i.output_text, i.token_ids_sha256, i.unsupported AS inference_unsupported,
    coalesce(l.error, i.error) AS error,
    l.cpu_user_s, l.cpu_system_s, l.major_faults, l.minor_faults,
    l.voluntary_switches, l.involuntary_switches, l.peak_rss_bytes,
    l.storage_device_read_bytes, l.storage_device_reads, l.storage_device_busy_s,
    l.cpu_pressure_s, l.memory_pressure_s, l.io_pressure_s, l.machine_cpu_s, l.steal_s, l.throttled_s,
    l.cpu_delay_s, l.block_delay_s, l.memory_delay_s, l.kernel_threads_cpu_s,
    l.device_memory_before_bytes, l.device_memory_after_bytes, l.device_memory_peak_bytes,
    l.pcie_generation, l.pcie_width, l.gpu_temperature_c, l.gpu_power_w, l.gpu_sm_clock_hz, l.gpu_memory_clock_hz,
    l.gpu_throttle_reasons, l.gpu_other_processes,
    s.setup_time_s, s.pool_bytes, s.pool_locked, s.huge_page_bytes, s.numa_node,
    r.dtype, r.num_replicas, r.num_thread, r.chunk_size_bytes,
    l.io_method, coalesce(l.io_depth, r.io_depth) AS io_depth, coalesce(l.io_size_bytes, r.io_size_bytes) AS io_size_bytes, r.mem_pool_size_bytes,
    r.page_cache, r.seed, r.status, r.sllmq_version, m.kernel, m.filesystem, m.storage_device, m.storage_read_ahead_bytes, m.free_page_reporting,
    m.machine_id,
    m.gpu_model, m.gpu_driver, m.huge_pages, m.cpu_governor, r.model_revision, r.tags, r.packages
FROM loads l
JOIN runs r USING (run_id)
JOIN machines m USING (machine_id)
LEFT JOIN sessions s ON s.run_id = l.run_id AND s.session = l.session
LEFT JOIN inferences i ON i.run_id = l.run_id AND i.seq = l.seq;
COMMENT ON VIEW load_facts IS 'one wide row per load, joined with its run, machine, session and inference';

CREATE OR REPLACE VIEW summary AS
SELECT
    model, benchmark_type, format, loader, device, engine, machine,
    count(*) FILTER (NOT warmup AND error IS NULL) AS loads,
    count(*) FILTER (error IS NOT NULL) AS failed,
    count(*) FILTER (warmup) AS warmups,
    avg(loading_time_s) FILTER (NOT warmup AND error IS NULL) AS mean_s,
    median(loading_time_s) FILTER (NOT warmup AND error IS NULL) AS median_s,
    min(loading_time_s) FILTER (NOT warmup AND error IS NULL) AS min_s,
    max(loading_time_s) FILTER (NOT warmup AND error IS NULL) AS max_s,
    stddev_samp(loading_time_s) FILTER (NOT warmup AND error IS NULL) AS sample_std_s,
    stddev_pop(loading_time_s) FILTER (NOT warmup AND error IS NULL) AS population_std_s,
    median(bytes_per_s) FILTER (NOT warmup AND error IS NULL) AS median_bytes_per_s,
    avg(throughput_tokens_per_s) FILTER (NOT warmup AND error IS NULL) AS mean_tokens_per_s,
    string_agg(DISTINCT source_tier, ', ' ORDER BY source_tier) FILTER (NOT warmup AND error IS NULL) AS source_tiers
FROM load_facts
GROUP BY ALL;
COMMENT ON VIEW summary IS 'loading times of each model, benchmark type, format, loader, device, engine and machine';

CREATE OR REPLACE VIEW comparison AS
SELECT
    a.model, a.benchmark_type, a.device, a.engine, a.machine,
    a.loader AS safetensors_loader, b.loader AS sllm_loader,
    a.loads AS safetensors_loads, b.loads AS sllm_loads,
    a.mean_s AS safetensors_mean_s, b.mean_s AS sllm_mean_s,
    a.median_s AS safetensors_median_s, b.median_s AS sllm_median_s,
    a.mean_s / b.mean_s AS speedup_of_means,
    a.median_s / b.median_s AS speedup_of_medians
FROM summary a
JOIN summary b USING (model, benchmark_type, device, engine, machine)
WHERE a.format = 'safetensors' AND b.format = 'sllm' AND (a.loader = 'raw') = (b.loader = 'raw');
COMMENT ON VIEW comparison IS 'safetensors and sllm side by side; a speedup above 1 means sllm is faster';
