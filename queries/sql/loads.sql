-- title: Counted loads, one by one
-- parameters:
--   models, formats, benchmark_types, runs, collects: separated by the unit separator (chr(31)), empty for all
--   tags: KEY=VALUE pairs that all must hold, separated likewise
--   since, until: bounds of the load's beginning, NULL for none
-- columns:
--   loading_time_s, bytes, efficiency: as in load_facts
--   session: worker process in the run; seq: order in the run
SELECT run_id::VARCHAR AS run_id, session, seq, started_at, machine, model, format, loader, device, engine, benchmark_type,
       bytes, loading_time_s, efficiency, source_tier
FROM load_facts
WHERE NOT warmup AND error IS NULL AND loading_time_s IS NOT NULL
  AND ($models = '' OR list_contains(string_split($models, chr(31)), model))
  AND ($formats = '' OR list_contains(string_split($formats, chr(31)), format))
  AND ($benchmark_types = '' OR list_contains(string_split($benchmark_types, chr(31)), benchmark_type))
  AND ($runs = '' OR list_contains(string_split($runs, chr(31)), run_id::VARCHAR))
  AND ($collects = '' OR list_contains(string_split($collects, chr(31)), collect_id::VARCHAR))
  AND ($tags = '' OR list_has_all(list_transform(map_entries(tags), e -> e.key || '=' || e.value), string_split($tags, chr(31))))
  AND ($since::TIMESTAMPTZ IS NULL OR started_at >= $since::TIMESTAMPTZ)
  AND ($until::TIMESTAMPTZ IS NULL OR started_at < $until::TIMESTAMPTZ)
ORDER BY model, benchmark_type DESC, format, loader, device, engine, machine, started_at, seq
