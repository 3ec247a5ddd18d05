-- title: Bandwidth of reading storage by depth and size of requests
-- columns:
--   trials_bytes_per_s: each trial, in order; bytes_per_s: their median
--   trials: outside runs, on the machine that was measured last
SELECT m.machine, r.threads, r.depth, r.io_size_bytes, count(*) AS trials, median(r.bandwidth_bytes_per_s) AS bytes_per_s,
       list(r.bandwidth_bytes_per_s ORDER BY r.measured_at) AS trials_bytes_per_s
FROM rooflines r
JOIN machines m USING (machine_id)
WHERE r.kind = 'storage_read' AND r.run_id IS NULL
  AND r.machine_id = (SELECT last.machine_id FROM rooflines last WHERE last.kind = 'storage_read' AND last.run_id IS NULL ORDER BY last.measured_at DESC LIMIT 1)
GROUP BY ALL
ORDER BY ALL
