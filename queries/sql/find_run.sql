-- title: The run whose id begins with a text
-- parameters:
--   prefix: the beginning of the id
-- columns:
--   run_id: one of the runs, empty if there is none; runs: how many there are
SELECT coalesce(min(run_id::VARCHAR), '') AS run_id, count(*) AS runs
FROM runs
WHERE starts_with(run_id::VARCHAR, lower($prefix))
