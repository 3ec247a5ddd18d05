-- title: Setup time, and after how many loads it pays off
-- parameter: model = '%', pattern of models' names
-- columns: setup_s is starting the worker and filling its pool; break_even_loads is how many loads of sllm it takes until set-up and loads together are faster than safetensors
WITH arms AS (
    SELECT r.machine_id, r.model, r.benchmark_type, r.device, r.format, r.loader,
           median(s.start_time_s + s.setup_time_s) AS setup_s, any_value(m.median_s) AS median_s
    FROM sessions s
    JOIN runs r USING (run_id)
    JOIN (SELECT run_id, median(loading_time_s) AS median_s FROM load_facts WHERE NOT warmup AND error IS NULL GROUP BY run_id) m USING (run_id)
    WHERE r.model LIKE $model AND r.loader <> 'raw'
    GROUP BY ALL
)
SELECT a.model, a.benchmark_type, a.device, a.loader AS safetensors_loader, b.loader AS sllm_loader,
       a.setup_s AS safetensors_setup_s, b.setup_s AS sllm_setup_s, a.median_s AS safetensors_median_s, b.median_s AS sllm_median_s,
       CASE WHEN b.median_s < a.median_s THEN greatest(0, ceil((b.setup_s - a.setup_s) / (a.median_s - b.median_s))) END AS break_even_loads
FROM arms a
JOIN arms b USING (machine_id, model, benchmark_type, device)
WHERE a.format = 'safetensors' AND b.format = 'sllm'
ORDER BY ALL
