-- title: Medians of A/A runs, which measure the same thing twice
-- columns:
--   a_s, b_s: median loading time of a session of each twin, in seconds
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
), twins AS (
    SELECT collect_id, machine, model, benchmark_type, format, loader, device, engine, session, tags['aa'] AS twin, median(loading_time_s) AS median_s
    FROM load_facts
    WHERE NOT warmup AND error IS NULL AND loading_time_s > 0 AND tags['aa'] IN ('a', 'b')
    GROUP BY ALL
)
SELECT a.median_s AS a_s, b.median_s AS b_s
FROM twins a
JOIN twins b USING (collect_id, machine, model, benchmark_type, format, loader, device, engine, session)
WHERE a.twin = 'a' AND b.twin = 'b'
ORDER BY ALL
