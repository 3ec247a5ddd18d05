-- title: The machines of the chosen loads, and their highest bandwidths
-- columns:
--   loads: of all kinds; sllmq_versions: those that measured them
--   storage_bytes_per_s, copy_bytes_per_s, device_bytes_per_s: the highest bandwidths of the rooflines
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
), chosen AS (
    SELECT machine_id, count(*) AS loads, min(started_at) AS first_at, string_agg(DISTINCT sllmq_version, ', ' ORDER BY sllmq_version) AS sllmq_versions
    FROM load_facts
    GROUP BY machine_id
), best AS (
    SELECT machine_id,
           max(bandwidth_bytes_per_s) FILTER (kind = 'storage_read') AS storage_bytes_per_s,
           max(bandwidth_bytes_per_s) FILTER (kind = 'memory_copy') AS copy_bytes_per_s,
           max(bandwidth_bytes_per_s) FILTER (kind LIKE 'host_to_device%') AS device_bytes_per_s
    FROM rooflines
    GROUP BY machine_id
)
SELECT m.*, loads, sllmq_versions, storage_bytes_per_s, copy_bytes_per_s, device_bytes_per_s
FROM chosen
JOIN machines m USING (machine_id)
LEFT JOIN best USING (machine_id)
ORDER BY m.machine, first_at, machine_id
