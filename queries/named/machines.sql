-- title: The machines, and the best that was measured on each
-- parameter: model = '%', pattern of models' names
-- columns: storage and copy are the highest bandwidths of their rooflines, in bytes per second
SELECT m.machine, m.cpu_model, m.cpus, m.memory_bytes, m.kernel, m.filesystem, m.storage_device, m.storage_model, m.hypervisor,
       (SELECT max(bandwidth_bytes_per_s) FROM rooflines r WHERE r.machine_id = m.machine_id AND kind = 'storage_read') AS storage_bytes_per_s,
       (SELECT max(bandwidth_bytes_per_s) FROM rooflines r WHERE r.machine_id = m.machine_id AND kind = 'memory_copy') AS copy_bytes_per_s,
       count(l.seq) AS loads
FROM machines m
JOIN runs r USING (machine_id)
LEFT JOIN loads l USING (run_id)
WHERE r.model LIKE $model
GROUP BY ALL
ORDER BY ALL
