-- title: A/A runs: medians of the same thing, measured twice
-- parameters:
--   models, formats, benchmark_types, runs, collects: separated by the unit separator (chr(31)), empty for all
--   tags: KEY=VALUE pairs that all must hold, separated likewise
--   since, until: bounds of the load's beginning, NULL for none
-- columns:
--   a_s, b_s: median loading time of a session of either twin, in seconds
WITH twins AS (
    SELECT collect_id, machine, model, benchmark_type, format, loader, device, engine, session, tags['aa'] AS twin, median(loading_time_s) AS median_s
    FROM load_facts
    WHERE NOT warmup AND error IS NULL AND loading_time_s > 0 AND tags['aa'] IN ('a', 'b')
      AND ($models = '' OR list_contains(string_split($models, chr(31)), model))
      AND ($formats = '' OR list_contains(string_split($formats, chr(31)), format))
      AND ($benchmark_types = '' OR list_contains(string_split($benchmark_types, chr(31)), benchmark_type))
      AND ($runs = '' OR list_contains(string_split($runs, chr(31)), run_id::VARCHAR))
      AND ($collects = '' OR list_contains(string_split($collects, chr(31)), collect_id::VARCHAR))
      AND ($tags = '' OR list_has_all(list_transform(map_entries(tags), e -> e.key || '=' || e.value), string_split($tags, chr(31))))
      AND ($since::TIMESTAMPTZ IS NULL OR started_at >= $since::TIMESTAMPTZ)
      AND ($until::TIMESTAMPTZ IS NULL OR started_at < $until::TIMESTAMPTZ)
    GROUP BY ALL
)
SELECT a.median_s AS a_s, b.median_s AS b_s
FROM twins a
JOIN twins b USING (collect_id, machine, model, benchmark_type, format, loader, device, engine, session)
WHERE a.twin = 'a' AND b.twin = 'b'
ORDER BY ALL
