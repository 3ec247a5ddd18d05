-- title: Loads outside Tukey's fences, and what else happened then
-- parameter: model = '%', pattern of models' names
-- columns: fence_s is the quartile and 1.5 times the distance of quartiles; pressure and steal show what else the machine did
WITH fences AS (
    SELECT run_id, quantile_cont(loading_time_s, 0.25) AS low, quantile_cont(loading_time_s, 0.75) AS high
    FROM load_facts
    WHERE NOT warmup AND error IS NULL
    GROUP BY run_id
)
SELECT f.started_at, f.model, f.benchmark_type, f.format, f.loader, f.run_id, f.seq, f.replica, f.loading_time_s,
       high + 1.5 * (high - low) AS fence_s, f.source_tier, f.io_pressure_s, f.cpu_pressure_s, f.steal_s, f.throttled_s, f.major_faults
FROM load_facts f
JOIN fences USING (run_id)
WHERE NOT f.warmup AND f.error IS NULL AND (f.loading_time_s > high + 1.5 * (high - low) OR f.loading_time_s < low - 1.5 * (high - low)) AND f.model LIKE $model
ORDER BY f.loading_time_s / high DESC
