-- title: The highest bandwidths of storage and memory on the machines of the chosen loads
-- columns:
--   bytes_per_s: the highest bandwidth of each kind on each machine
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
)
SELECT machine, kind, max(bandwidth_bytes_per_s) AS bytes_per_s
FROM rooflines
JOIN machines USING (machine_id)
WHERE machine_id IN (SELECT machine_id FROM load_facts)
GROUP BY machine, kind
ORDER BY machine, kind DESC
