-- title: What was sampled during the last load that was traced, a random one if there is any
-- parameters:
--   models, formats, benchmark_types, runs, collects: separated by the unit separator (chr(31)), empty for all
--   tags: KEY=VALUE pairs that all must hold, separated likewise
--   since, until: bounds of the load's beginning, NULL for none
-- columns:
--   at_s: when, since the load began; value: in the unit of the metric's name, over the time since the sample before
WITH traced AS (
    SELECT * FROM load_facts
    WHERE loading_time_s IS NOT NULL AND EXISTS (FROM io_trace t WHERE t.run_id = load_facts.run_id AND t.seq = load_facts.seq)
      AND ($models = '' OR list_contains(string_split($models, chr(31)), model))
      AND ($formats = '' OR list_contains(string_split($formats, chr(31)), format))
      AND ($benchmark_types = '' OR list_contains(string_split($benchmark_types, chr(31)), benchmark_type))
      AND ($runs = '' OR list_contains(string_split($runs, chr(31)), run_id::VARCHAR))
      AND ($collects = '' OR list_contains(string_split($collects, chr(31)), collect_id::VARCHAR))
      AND ($tags = '' OR list_has_all(list_transform(map_entries(tags), e -> e.key || '=' || e.value), string_split($tags, chr(31))))
      AND ($since::TIMESTAMPTZ IS NULL OR started_at >= $since::TIMESTAMPTZ)
      AND ($until::TIMESTAMPTZ IS NULL OR started_at < $until::TIMESTAMPTZ)
    ORDER BY benchmark_type = 'random' DESC, started_at DESC
    LIMIT 1
)
SELECT s.source, s.metric, epoch(s.sampled_at - l.started_at) AS at_s, s.value
FROM samples s
JOIN traced l USING (run_id)
WHERE s.sampled_at >= l.started_at AND s.sampled_at <= l.started_at + to_microseconds((l.loading_time_s * 1e6)::BIGINT)
ORDER BY s.source, s.metric, at_s
