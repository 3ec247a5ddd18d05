-- title: The time of loads by stage
-- parameter: model = '%', pattern of models' names
-- columns: medians over counted loads; share is of loading time, and stages may overlap
SELECT f.model, f.benchmark_type, f.format, f.loader, s.stage, count(*) AS loads,
       median(s.start_s) AS start_s, median(s.duration_s) AS duration_s, median(s.busy_s) AS busy_s,
       median(s.duration_s / f.loading_time_s) AS share
FROM stages s
JOIN load_facts f USING (run_id, seq)
WHERE NOT f.warmup AND f.error IS NULL AND f.loading_time_s > 0 AND f.model LIKE $model
GROUP BY ALL
ORDER BY f.model, f.benchmark_type, f.format, f.loader, start_s
