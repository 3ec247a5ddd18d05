-- title: Medians of an arm in a night and in the next night under the same conditions
-- columns:
--   a_s, b_s: median loading time in a night and in the one after it, in seconds, of the arm that differs most among those measured in both; no night is in two pairs. Two hours without loads on the machine separate nights
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
), collects AS (
    SELECT collect_id, machine, model, model_revision, benchmark_type, format, loader, device, engine, dtype, page_cache, kernel, gpu_driver, sllmq_version, machine_id,
           min(started_at) AS began_at, max(started_at) AS last_at, median(loading_time_s) AS median_s
    FROM load_facts
    WHERE NOT warmup AND error IS NULL AND loading_time_s > 0
    GROUP BY ALL
), parted AS (
    SELECT *, began_at - max(last_at) OVER (PARTITION BY machine ORDER BY began_at, collect_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) > INTERVAL 2 HOURS AS is_first
    FROM collects
), numbered AS (
    SELECT *, count(*) FILTER (is_first) OVER (PARTITION BY machine ORDER BY began_at, collect_id ROWS UNBOUNDED PRECEDING) AS night
    FROM parted
), nights AS (
    SELECT night, machine, model, model_revision, benchmark_type, format, loader, device, engine, dtype, page_cache, kernel, gpu_driver, sllmq_version, machine_id, median(median_s) AS median_s
    FROM numbered
    GROUP BY ALL
), following AS (
    SELECT machine, night AS a, lead(night) OVER arm AS b, median_s AS a_s, lead(median_s) OVER arm AS b_s, row_number() OVER arm AS place
    FROM nights
    WINDOW arm AS (PARTITION BY machine, model, model_revision, benchmark_type, format, loader, device, engine, dtype, page_cache, kernel, gpu_driver, sllmq_version, machine_id ORDER BY night)
)
SELECT arg_max(a_s, abs(ln(b_s / a_s))) AS a_s, arg_max(b_s, abs(ln(b_s / a_s))) AS b_s
FROM following
WHERE place % 2 = 1 AND b_s IS NOT NULL
GROUP BY machine, a, b
ORDER BY ALL
