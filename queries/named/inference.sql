-- title: The texts that were generated after loads
-- parameter: model = '%', pattern of models' names
-- columns: texts counts equal token ids as one; throughput is the reference's, of prompt and output over the whole time
SELECT r.model, r.dtype, r.device, count(*) AS generations, count(DISTINCT i.token_ids_sha256) AS texts,
       median(i.time_to_first_token_s) AS time_to_first_token_s, median(i.throughput_tokens_per_s) AS throughput_tokens_per_s,
       median(i.decode_tokens_per_s) AS decode_tokens_per_s, count(i.error) AS failed, any_value(i.unsupported) AS unsupported
FROM inferences i
JOIN runs r USING (run_id)
WHERE r.model LIKE $model
GROUP BY ALL
ORDER BY ALL
