-- title: Speedup of sllm over safetensors, by model
-- parameter: model = '%', pattern of models' names
-- columns: speedup is the median of safetensors divided by that of sllm; over 1, sllm is faster
SELECT machine, model, benchmark_type, device, safetensors_loader, sllm_loader,
       safetensors_loads, sllm_loads, safetensors_median_s, sllm_median_s, speedup_of_medians AS speedup
FROM comparison
WHERE model LIKE $model
ORDER BY ALL
