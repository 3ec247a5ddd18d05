-- title: The best that was measured of storage and memory, whatever the machine
-- columns:
--   bytes_per_s: the highest bandwidth of each kind
SELECT kind, max(bandwidth_bytes_per_s) AS bytes_per_s
FROM rooflines
GROUP BY kind
ORDER BY kind DESC
