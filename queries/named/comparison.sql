-- title: SafeTensors beside SLLM, model by model, with the ratios of means and of medians
-- parameter: model = '%', pattern of models' names
-- columns: those of the view comparison (see .schema comparison); a speedup over 1 means that sllm is faster; sllmq compare has intervals and tests
SELECT *
FROM comparison
WHERE model LIKE $model
ORDER BY ALL
