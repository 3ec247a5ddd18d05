-- title: Loading times from run to run
-- parameter: model = '%', pattern of models' names
-- columns: against_before is the run's median divided by that of the run before; changed lists the conditions that differ from it
WITH medians AS (
    SELECT run_id, min(started_at) AS started_at, machine, model, benchmark_type, format, loader, kernel, sllmq_version, storage_device,
           count(*) AS loads, median(loading_time_s) AS median_s
    FROM load_facts
    WHERE NOT warmup AND error IS NULL AND model LIKE $model
    GROUP BY ALL
)
SELECT started_at, machine, model, benchmark_type, format, loader, loads, median_s,
       median_s / lag(median_s) OVER arm AS against_before,
       concat_ws(', ',
           CASE WHEN kernel <> lag(kernel) OVER arm THEN 'kernel ' || kernel END,
           CASE WHEN sllmq_version <> lag(sllmq_version) OVER arm THEN 'sllmq ' || sllmq_version END,
           CASE WHEN storage_device <> lag(storage_device) OVER arm THEN 'storage ' || storage_device END) AS changed,
       run_id
FROM medians
WINDOW arm AS (PARTITION BY machine, model, benchmark_type, format, loader ORDER BY started_at)
ORDER BY model, benchmark_type, format, loader, machine, started_at
