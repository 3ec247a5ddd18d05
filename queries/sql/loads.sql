-- title: Counted loads, one by one
-- columns:
--   loading_time_s, bytes, efficiency: as in load_facts
--   session: worker process in the run; seq: order in the run
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
)
SELECT run_id::VARCHAR AS run_id, session, seq, started_at, machine, model, format, loader, device, engine, benchmark_type,
       bytes, loading_time_s, efficiency, source_tier
FROM load_facts
WHERE NOT warmup AND error IS NULL AND loading_time_s IS NOT NULL
ORDER BY model, benchmark_type DESC, format, loader, device, engine, machine, started_at, seq
