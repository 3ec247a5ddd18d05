-- title: Failed loads, the newest first
-- parameter: model = '%', pattern of models' names
-- columns: error is what went wrong
SELECT started_at, machine, model, benchmark_type, format, loader, run_id, seq, replica, error
FROM load_facts
WHERE error IS NOT NULL AND model LIKE $model
ORDER BY started_at DESC
