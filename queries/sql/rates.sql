-- title: How fast loads of each format, loader and benchmark type were on a machine, over all models
-- parameters:
--   machine: its name
-- columns:
--   bytes_per_s: median bandwidth of loads; decode_bytes_per_s: median rate of reading weights while text was generated
SELECT
    r.format, r.loader, r.benchmark_type,
    median(l.bytes / l.loading_time_s) AS bytes_per_s,
    median(l.bytes * i.decode_tokens_per_s) AS decode_bytes_per_s
FROM loads l
JOIN runs r USING (run_id)
JOIN machines m USING (machine_id)
LEFT JOIN inferences i ON i.run_id = l.run_id AND i.seq = l.seq AND i.error IS NULL
WHERE NOT l.warmup AND l.error IS NULL AND l.bytes > 0 AND l.loading_time_s > 0 AND m.machine = $machine
GROUP BY ALL
ORDER BY ALL
