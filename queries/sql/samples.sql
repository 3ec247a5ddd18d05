-- title: Samples during the last traced load, a random one if there is any
-- columns:
--   at_s: time since the load began; value: in the unit of the metric's name, since the sample before
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
), traced AS (
    SELECT * FROM load_facts
    WHERE loading_time_s IS NOT NULL AND EXISTS (FROM io_trace t WHERE t.run_id = load_facts.run_id AND t.seq = load_facts.seq)
    ORDER BY benchmark_type = 'random' DESC, started_at DESC
    LIMIT 1
)
SELECT s.source, s.metric, epoch(s.sampled_at - l.started_at) AS at_s, s.value
FROM samples s
JOIN traced l USING (run_id)
WHERE s.sampled_at >= l.started_at AND s.sampled_at <= l.started_at + to_microseconds((l.loading_time_s * 1e6)::BIGINT)
ORDER BY s.source, s.metric, at_s
