-- title: What limited loads, and their efficiency
-- parameter: model = '%', pattern of models' names
-- columns: efficiency is roofline time over loading time; over_1 counts loads that exceeded the roofline, so that a label or the roofline is wrong
SELECT machine, model, benchmark_type, format, loader, bound, count(*) AS loads,
       median(efficiency) AS median_efficiency, min(efficiency) AS min_efficiency, max(efficiency) AS max_efficiency,
       count(*) FILTER (efficiency > 1) AS over_1
FROM load_facts
WHERE NOT warmup AND error IS NULL AND efficiency IS NOT NULL AND model LIKE $model
GROUP BY ALL
ORDER BY ALL
