-- title: Chosen loads that failed, the last first
-- parameters:
--   models, formats, benchmark_types, runs, collects: separated by the unit separator (chr(31)), empty for all
--   tags: KEY=VALUE pairs that all must hold, separated likewise
--   since, until: bounds of the load's beginning, NULL for none
-- columns:
--   error: what went wrong, in the load or in the text after it
SELECT started_at, machine, model, benchmark_type, format, loader, device, run_id::VARCHAR AS run_id, seq, replica, error
FROM load_facts
WHERE error IS NOT NULL
  AND ($models = '' OR list_contains(string_split($models, chr(31)), model))
  AND ($formats = '' OR list_contains(string_split($formats, chr(31)), format))
  AND ($benchmark_types = '' OR list_contains(string_split($benchmark_types, chr(31)), benchmark_type))
  AND ($runs = '' OR list_contains(string_split($runs, chr(31)), run_id::VARCHAR))
  AND ($collects = '' OR list_contains(string_split($collects, chr(31)), collect_id::VARCHAR))
  AND ($tags = '' OR list_has_all(list_transform(map_entries(tags), e -> e.key || '=' || e.value), string_split($tags, chr(31))))
  AND ($since::TIMESTAMPTZ IS NULL OR started_at >= $since::TIMESTAMPTZ)
  AND ($until::TIMESTAMPTZ IS NULL OR started_at < $until::TIMESTAMPTZ)
ORDER BY started_at DESC, run_id, seq DESC
