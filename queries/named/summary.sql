-- title: Loading times of each model, benchmark type, format, loader, device, engine and machine
-- parameter: model = '%', pattern of models' names
-- columns: those of the view summary (.schema summary tells them): loads counts neither warm-ups nor failures; times in seconds
SELECT *
FROM summary
WHERE model LIKE $model
ORDER BY ALL
