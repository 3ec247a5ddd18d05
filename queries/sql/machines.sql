-- title: The machines of the chosen loads, and the best that was measured on each
-- columns:
--   loads: of all kinds; sllmq_versions: that measured them
--   storage_bytes_per_s, copy_bytes_per_s, device_bytes_per_s: the highest bandwidths of the rooflines
WITH chosen AS (
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
SELECT m.machine, loads, sllmq_versions, m.os, m.kernel, m.arch, m.cpu_model, m.cpus, m.cpu_sockets, m.numa_nodes, m.cpu_governor, m.memory_bytes, m.huge_pages, m.free_page_reporting, m.hypervisor,
       m.gpu_model, m.gpus, m.gpu_memory_bytes, m.gpu_driver,
       m.mount_point, m.filesystem, m.mount_options, m.storage_device, m.storage_model, m.storage_rotational, m.storage_scheduler, m.storage_max_io_bytes, m.storage_read_ahead_bytes, m.storage_bytes,
       storage_bytes_per_s, copy_bytes_per_s, device_bytes_per_s
FROM chosen
JOIN machines m USING (machine_id)
LEFT JOIN best USING (machine_id)
ORDER BY m.machine, first_at, machine_id
