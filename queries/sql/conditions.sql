-- title: The conditions under which compared loads were measured
-- columns:
--   arm: what is compared; a comparison adds this column to load_facts
--   loads: how many loads that did not fail were measured under these conditions
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
), counted AS (
    SELECT arm, machine, model, benchmark_type, format, engine, loader, device, model_revision, source_tier, direct_io, dtype, page_cache,
           mem_pool_size_bytes, pool_locked, num_thread, chunk_size_bytes, io_depth, io_size_bytes,
           kernel, gpu_driver, gpu_model, filesystem, storage_device, huge_pages, cpu_governor, sllmq_version, machine_id, count(*) AS loads
    FROM load_facts
    WHERE NOT warmup AND arm IS NOT NULL AND error IS NULL AND loading_time_s IS NOT NULL
    GROUP BY ALL
)
SELECT arm, loads, coalesce(COLUMNS(* EXCLUDE (arm, loads))::VARCHAR, '')
FROM counted
