-- title: Order effects and drift: do loads become faster or slower during a session?
-- parameter: model = '%', pattern of models' names
-- columns: correlation is Spearman's, of the order in the session with loading time; first_over_rest is the first load over the median of the others
WITH ranked AS (
    SELECT run_id, session, model, benchmark_type, format, loader, seq, loading_time_s,
           row_number() OVER sessions AS place, rank() OVER (PARTITION BY run_id, session ORDER BY loading_time_s) AS slowness
    FROM load_facts
    WHERE NOT warmup AND error IS NULL AND loading_time_s IS NOT NULL AND model LIKE $model
    WINDOW sessions AS (PARTITION BY run_id, session ORDER BY seq)
)
SELECT model, benchmark_type, format, loader, run_id, session, count(*) AS loads,
       corr(place, slowness) AS correlation,
       min(loading_time_s) FILTER (place = 1) / median(loading_time_s) FILTER (place > 1) AS first_over_rest
FROM ranked
GROUP BY ALL
HAVING count(*) > 2
ORDER BY abs(correlation) DESC
