-- title: Where the time of counted loads goes, stage by stage
-- parameters:
--   models, formats, benchmark_types, runs, collects: separated by the unit separator (chr(31)), empty for all
--   tags: KEY=VALUE pairs that all must hold, separated likewise
--   since, until: bounds of the load's beginning, NULL for none
-- columns:
--   start_s, duration_s, busy_s: median over the loads that have the stage; stages may overlap
--   loading_time_s: median over the arm's loads
WITH chosen AS (
    SELECT * FROM load_facts
    WHERE NOT warmup AND error IS NULL AND loading_time_s IS NOT NULL
      AND ($models = '' OR list_contains(string_split($models, chr(31)), model))
      AND ($formats = '' OR list_contains(string_split($formats, chr(31)), format))
      AND ($benchmark_types = '' OR list_contains(string_split($benchmark_types, chr(31)), benchmark_type))
      AND ($runs = '' OR list_contains(string_split($runs, chr(31)), run_id::VARCHAR))
      AND ($collects = '' OR list_contains(string_split($collects, chr(31)), collect_id::VARCHAR))
      AND ($tags = '' OR list_has_all(list_transform(map_entries(tags), e -> e.key || '=' || e.value), string_split($tags, chr(31))))
      AND ($since::TIMESTAMPTZ IS NULL OR started_at >= $since::TIMESTAMPTZ)
      AND ($until::TIMESTAMPTZ IS NULL OR started_at < $until::TIMESTAMPTZ)
), arms AS (
    SELECT machine, model, benchmark_type, format, loader, device, engine, median(loading_time_s) AS loading_time_s
    FROM chosen
    GROUP BY ALL
)
SELECT machine, model, benchmark_type, format, loader, device, engine, stage,
       median(s.start_s) AS start_s, median(s.duration_s) AS duration_s, median(s.busy_s) AS busy_s,
       any_value(arms.loading_time_s) AS loading_time_s
FROM stages s
JOIN chosen USING (run_id, seq)
JOIN arms USING (machine, model, benchmark_type, format, loader, device, engine)
GROUP BY machine, model, benchmark_type, format, loader, device, engine, stage
ORDER BY model, benchmark_type DESC, format, loader, device, engine, machine, start_s, stage
