-- title: The facts of the machine that measured a run
-- parameters:
--   run: the run's id
-- columns:
--   name: a column of machines; value: the machine's, as text. Columns without a value are left out
SELECT name, value
FROM (UNPIVOT (
    SELECT COLUMNS(*)::VARCHAR
    FROM (SELECT m.* FROM machines m JOIN runs r USING (machine_id) WHERE r.run_id = $run::UUID)
) ON COLUMNS(*) INTO NAME name VALUE value)
