-- title: The time of counted loads by stage
-- columns:
--   start_s, end_s, duration_s: median over the loads that have the stage; stages may overlap
--   loading_time_s: median over the arm's loads
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
), chosen AS (
    SELECT * FROM load_facts
    WHERE NOT warmup AND error IS NULL AND loading_time_s IS NOT NULL
), arms AS (
    SELECT machine, model, benchmark_type, format, loader, device, engine, median(loading_time_s) AS loading_time_s
    FROM chosen
    GROUP BY ALL
)
SELECT machine, model, benchmark_type, format, loader, device, engine, stage,
       median(s.start_s) AS start_s, median(s.start_s + s.duration_s) AS end_s, median(s.duration_s) AS duration_s,
       any_value(arms.loading_time_s) AS loading_time_s
FROM stages s
JOIN chosen USING (run_id, seq)
JOIN arms USING (machine, model, benchmark_type, format, loader, device, engine)
GROUP BY machine, model, benchmark_type, format, loader, device, engine, stage
ORDER BY model, benchmark_type DESC, format, loader, device, engine, machine, start_s, stage
