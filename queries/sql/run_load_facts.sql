-- title: All that is known of the loads of a run
-- parameters:
--   run: the run's id
SELECT *
FROM load_facts
WHERE run_id = $run::UUID
ORDER BY seq
