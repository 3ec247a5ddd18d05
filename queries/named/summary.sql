-- title: Loading times of each model, benchmark type, format, loader, device, engine and machine
-- parameter: model = '%', pattern of models' names
-- columns: those of the view summary (see .schema summary); loads leaves out warm-ups and failures; times are seconds
SELECT *
FROM summary
WHERE model LIKE $model
ORDER BY ALL
