-- title: Loading times of each model, benchmark type, format and loader
-- columns:
--   bound: what limited most counted loads; median_efficiency: roofline time over loading time
--   not_from_storage: random loads that are not cold, since some bytes did not come from storage
--   over_roofline: loads faster than the roofline, so that a label or the roofline is wrong
--   loads: counted loads, without warm-ups and failures; failed and warmups count those
--   mean_s, median_s, min_s, max_s: loading time of counted loads, in seconds
--   sample_std_s, population_std_s: its standard deviation, over n-1 and over n
--   median_bytes_per_s: tensor bytes over loading time
--   source_tiers: where the bytes came from, with numbers of loads if they differ
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
), chosen AS (
    SELECT *, NOT warmup AND error IS NULL AS counted
    FROM load_facts
), tier_loads AS (
    SELECT model, benchmark_type, format, loader, device, engine, machine, source_tier, count(*) AS n
    FROM chosen
    WHERE counted AND source_tier IS NOT NULL
    GROUP BY ALL
), tiers AS (
    SELECT model, benchmark_type, format, loader, device, engine, machine,
           CASE count(*) WHEN 1 THEN any_value(source_tier)
                ELSE string_agg(source_tier || ' ' || n, ', ' ORDER BY n DESC, source_tier) END AS source_tiers
    FROM tier_loads
    GROUP BY ALL
), times AS (
    SELECT
        model, benchmark_type, format, loader, device, engine, machine,
        count(*) FILTER (counted) AS loads,
        count(*) FILTER (error IS NOT NULL) AS failed,
        count(*) FILTER (warmup) AS warmups,
        max(num_replicas) AS num_replicas,
        avg(loading_time_s) FILTER (counted) AS mean_s,
        median(loading_time_s) FILTER (counted) AS median_s,
        min(loading_time_s) FILTER (counted) AS min_s,
        max(loading_time_s) FILTER (counted) AS max_s,
        stddev_samp(loading_time_s) FILTER (counted) AS sample_std_s,
        stddev_pop(loading_time_s) FILTER (counted) AS population_std_s,
        median(bytes_per_s) FILTER (counted) AS median_bytes_per_s,
        avg(throughput_tokens_per_s) FILTER (counted) AS mean_tokens_per_s,
        coalesce(mode(bound) FILTER (counted), '') AS bound,
        median(efficiency) FILTER (counted) AS median_efficiency,
        count(*) FILTER (counted AND benchmark_type = 'random' AND source_tier <> 'storage') AS not_from_storage,
        count(*) FILTER (counted AND efficiency > 1) AS over_roofline
    FROM chosen
    GROUP BY ALL
)
SELECT times.*, coalesce(source_tiers, '') AS source_tiers
FROM times
LEFT JOIN tiers USING (model, benchmark_type, format, loader, device, engine, machine)
ORDER BY machine, device, model, benchmark_type DESC, format, loader
