-- title: One thing measured at two times: medians of following collects of an arm under the same conditions
-- parameters:
--   models, formats, benchmark_types, runs, collects: separated by the unit separator (chr(31)), empty for all
--   tags: KEY=VALUE pairs that all must hold, separated likewise
--   since, until: bounds of the load's beginning, NULL for none
-- columns:
--   a_s, b_s: median loading time of a collect and of the one after it, in seconds; no collect is in two pairs
WITH collects AS (
    SELECT collect_id, machine, model, model_revision, benchmark_type, format, loader, device, engine, dtype, page_cache, kernel, gpu_driver, sllmq_version, machine_id,
           min(started_at) AS began_at, median(loading_time_s) AS median_s
    FROM load_facts
    WHERE NOT warmup AND error IS NULL AND loading_time_s > 0
      AND ($models = '' OR list_contains(string_split($models, chr(31)), model))
      AND ($formats = '' OR list_contains(string_split($formats, chr(31)), format))
      AND ($benchmark_types = '' OR list_contains(string_split($benchmark_types, chr(31)), benchmark_type))
      AND ($runs = '' OR list_contains(string_split($runs, chr(31)), run_id::VARCHAR))
      AND ($collects = '' OR list_contains(string_split($collects, chr(31)), collect_id::VARCHAR))
      AND ($tags = '' OR list_has_all(list_transform(map_entries(tags), e -> e.key || '=' || e.value), string_split($tags, chr(31))))
      AND ($since::TIMESTAMPTZ IS NULL OR started_at >= $since::TIMESTAMPTZ)
      AND ($until::TIMESTAMPTZ IS NULL OR started_at < $until::TIMESTAMPTZ)
    GROUP BY ALL
), following AS (
    SELECT median_s AS a_s, lead(median_s) OVER arm AS b_s, row_number() OVER arm AS place
    FROM collects
    WINDOW arm AS (PARTITION BY machine, model, model_revision, benchmark_type, format, loader, device, engine, dtype, page_cache, kernel, gpu_driver, sllmq_version, machine_id ORDER BY began_at, collect_id)
)
SELECT a_s, b_s
FROM following
WHERE place % 2 = 1 AND b_s IS NOT NULL
ORDER BY ALL
