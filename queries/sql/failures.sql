-- title: Failed loads, the newest first
-- columns:
--   error: what went wrong, in the load or in the text after it
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
)
SELECT started_at, machine, model, benchmark_type, format, engine, loader, device, run_id::VARCHAR AS run_id, seq, replica, error
FROM load_facts
WHERE error IS NOT NULL
ORDER BY started_at DESC, run_id, seq DESC
