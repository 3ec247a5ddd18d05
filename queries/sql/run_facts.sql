-- title: The facts of a run
-- parameters:
--   run: the run's id
-- columns:
--   name: a column of runs; value: the run's, as text. Columns without a value are left out
SELECT name, value
FROM (UNPIVOT (
    SELECT COLUMNS(*)::VARCHAR
    FROM (SELECT * EXCLUDE (machine_id, pid, boot_id) FROM runs WHERE run_id = $run::UUID)
) ON COLUMNS(*) INTO NAME name VALUE value)
