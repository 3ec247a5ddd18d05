-- title: The requests of the last traced load, a random one if there is any
-- columns:
--   queued_s, start_s, copied_s: since the load began; duration_s: of the read
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
), traced AS (
    SELECT * FROM load_facts
    WHERE loading_time_s IS NOT NULL AND EXISTS (FROM io_trace t WHERE t.run_id = load_facts.run_id AND t.seq = load_facts.seq)
    ORDER BY benchmark_type = 'random' DESC, started_at DESC
    LIMIT 1
)
SELECT l.machine, l.model, l.benchmark_type, l.format, l.engine, l.loader, l.device, l.run_id::VARCHAR AS run_id, l.seq, l.loading_time_s,
       t.thread, t.file, t.offset_bytes, t.bytes, t.queued_s, t.start_s, t.duration_s, t.copied_s
FROM io_trace t
JOIN traced l USING (run_id, seq)
ORDER BY t.start_s, t.thread
