-- title: The slowest requests of traced loads (collect --io-trace)
-- parameter: model = '%', pattern of models' names
-- columns: bytes_per_s of that one request; start_s since the load began
SELECT f.model, f.format, f.loader, t.run_id, t.seq, t.chunk, t.file, t.offset_bytes, t.bytes, t.thread, t.start_s, t.duration_s,
       t.bytes / nullif(t.duration_s, 0) AS bytes_per_s
FROM io_trace t
JOIN load_facts f USING (run_id, seq)
WHERE f.model LIKE $model
ORDER BY t.duration_s DESC
LIMIT 50
