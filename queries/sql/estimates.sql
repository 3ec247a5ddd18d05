-- title: Mean and median loading time of each arm, and the values that an interval of the median rests on
-- columns:
--   loads, sessions: how many count, and how many worker processes did them
--   mean_s, median_s: over these loads, in seconds
--   units_s: the sessions' medians if there are several sessions, otherwise the loads
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
), by_session AS (
    SELECT machine, model, benchmark_type, format, loader, device, engine, run_id, session, list(loading_time_s) AS times_s
    FROM load_facts
    WHERE NOT warmup AND error IS NULL AND loading_time_s IS NOT NULL
    GROUP BY ALL
)
SELECT machine, model, benchmark_type, format, loader, device, engine,
       sum(len(times_s))::BIGINT AS loads, count(*) AS sessions,
       list_avg(flatten(list(times_s))) AS mean_s, list_median(flatten(list(times_s))) AS median_s,
       CASE count(*) WHEN 1 THEN any_value(times_s) ELSE list(list_median(times_s)) END AS units_s
FROM by_session
GROUP BY machine, model, benchmark_type, format, loader, device, engine
ORDER BY machine, device, model, benchmark_type DESC, format, loader, engine
