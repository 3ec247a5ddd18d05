-- title: Machines and their highest bandwidths
-- parameter: model = '%', pattern of models' names
-- columns: storage and copy are the highest bandwidths of their rooflines, in bytes per second
WITH measured AS (
    -- Counted before they meet their machine: as wide rows, loads would fill the memory.
    SELECT machine_id, sum(coalesce(l.loads, 0))::BIGINT AS loads
    FROM runs LEFT JOIN (SELECT run_id, count(*) AS loads FROM loads GROUP BY run_id) l USING (run_id)
    WHERE model LIKE $model
    GROUP BY machine_id
), best AS (
    SELECT machine_id,
           max(bandwidth_bytes_per_s) FILTER (kind = 'storage_read') AS storage_bytes_per_s,
           max(bandwidth_bytes_per_s) FILTER (kind = 'memory_copy') AS copy_bytes_per_s
    FROM rooflines
    GROUP BY machine_id
)
SELECT m.machine, m.cpu_model, m.cpus, m.memory_bytes, m.kernel, m.filesystem, m.storage_device, m.storage_model, m.hypervisor,
       storage_bytes_per_s, copy_bytes_per_s, sum(loads)::BIGINT AS loads
FROM measured
JOIN machines m USING (machine_id)
LEFT JOIN best USING (machine_id)
GROUP BY ALL
ORDER BY ALL
