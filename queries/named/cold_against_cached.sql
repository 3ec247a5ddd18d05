-- title: Cold loads beside cached ones
-- parameter: model = '%', pattern of models' names
-- columns: factor is the cold median over the cached one; not_cold counts random loads that did not come from storage alone
SELECT machine, model, format, loader, device,
       median(loading_time_s) FILTER (benchmark_type = 'random') AS cold_median_s,
       median(loading_time_s) FILTER (benchmark_type = 'cached') AS cached_median_s,
       cold_median_s / cached_median_s AS factor,
       count(*) FILTER (benchmark_type = 'random' AND source_tier <> 'storage') AS not_cold
FROM load_facts
WHERE NOT warmup AND error IS NULL AND model LIKE $model
GROUP BY ALL
HAVING cold_median_s IS NOT NULL AND cached_median_s IS NOT NULL
ORDER BY ALL
