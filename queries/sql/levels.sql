-- title: The median of each run's counted loads over time, with its conditions
-- columns:
--   tagged: the run's tags as KEY=VALUE, without the tag of A/A twins
--   started_at: of the run's first load; median_s: loading time in seconds
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
)
SELECT f.run_id::VARCHAR AS run_id, min(f.started_at) AS started_at, f.machine, f.model, f.benchmark_type, f.format, f.loader, f.device, f.engine,
       count(*) AS loads, median(f.loading_time_s) AS median_s,
       coalesce(f.sllmq_version, '') AS sllmq_version, coalesce(f.kernel, '') AS kernel,
       coalesce(f.gpu_driver, '') AS gpu_driver, coalesce(f.storage_device, '') AS storage_device,
       coalesce(array_to_string(list_transform(list_filter(map_entries(f.tags), lambda e: e.key <> 'aa'), lambda e: e.key || '=' || e.value), ', '), '') AS tagged
FROM load_facts f
WHERE NOT f.warmup AND f.error IS NULL AND f.loading_time_s IS NOT NULL
GROUP BY ALL
ORDER BY f.model, f.benchmark_type DESC, f.format, f.loader, f.device, f.engine, f.machine, started_at, run_id
