-- title: SafeTensors beside SLLM, model by model, with the ratios of means and of medians
-- parameter: model = '%', pattern of models' names
-- columns: those of the view comparison (.schema comparison tells them): a speedup over 1 says that sllm is faster; sllmq compare has intervals and tests
SELECT *
FROM comparison
WHERE model LIKE $model
ORDER BY ALL
