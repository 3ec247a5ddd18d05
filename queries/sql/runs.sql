-- title: Runs, the newest first
-- columns:
--   run: the beginning of the id, which is enough for sllmq runs show
--   loads: counted loads; failed: loads with an error
--   median_s: median loading time of the counted loads, in seconds
SELECT
    left(r.run_id::VARCHAR, 18) AS run,
    strftime(r.started_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M') AS started,
    r.status, r.model, r.benchmark_type AS type, r.format, r.loader,
    count(*) FILTER (NOT f.warmup AND f.error IS NULL) AS loads,
    count(*) FILTER (f.error IS NOT NULL) AS failed,
    round(median(f.loading_time_s) FILTER (NOT f.warmup AND f.error IS NULL), 3) AS median_s
FROM runs r
LEFT JOIN load_facts f USING (run_id)
GROUP BY r.run_id, r.started_at, r.status, r.model, r.benchmark_type, r.format, r.loader
ORDER BY r.started_at DESC, r.run_id DESC
