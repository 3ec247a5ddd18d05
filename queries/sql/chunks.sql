-- title: The requests of the last load that was traced, a random one if there is any
-- columns:
--   queued_s, start_s, copied_s: since the load began; duration_s: of the read
WITH traced AS (
    SELECT * FROM load_facts
    WHERE loading_time_s IS NOT NULL AND EXISTS (FROM io_trace t WHERE t.run_id = load_facts.run_id AND t.seq = load_facts.seq)
    ORDER BY benchmark_type = 'random' DESC, started_at DESC
    LIMIT 1
)
SELECT t.thread, t.bytes, t.queued_s, t.start_s, t.duration_s, t.copied_s, l.model, l.format, l.loader, l.benchmark_type, l.loading_time_s,
       l.run_id::VARCHAR AS run_id, l.seq, t.file, t.offset_bytes
FROM io_trace t
JOIN traced l USING (run_id, seq)
ORDER BY t.start_s, t.thread
