-- title: The loads of a run, for people
-- parameters:
--   run: the run's id
SELECT session, seq, replica, warmup, round(loading_time_s, 4) AS loading_s, round(bytes_per_s / 1e9, 2) AS gb_per_s,
       source_tier AS tier, verified, error
FROM load_facts
WHERE run_id = $run::UUID
ORDER BY seq
