-- title: The loading times that are compared, session by session
-- columns:
--   arm: what is compared; a comparison adds this column to load_facts
--   seconds: loading times of the loads that did not fail, in order; failed: how many did
--   began_at, last_at: start of the session's first and last load
--   taken_s: CPU time that the hypervisor or the control group took during these loads
WITH load_facts AS NOT MATERIALIZED (
    FROM main.load_facts
)
SELECT l.run_id::VARCHAR AS run_id, session, arm,
       coalesce(any_value(machine), '') AS machine, coalesce(any_value(model), '') AS model, coalesce(any_value(benchmark_type::VARCHAR), '') AS benchmark_type,
       coalesce(any_value(format::VARCHAR), '') AS format, coalesce(any_value(engine), '') AS engine, coalesce(any_value(loader), '') AS loader,
       coalesce(any_value(device), '') AS device,
       coalesce(list(loading_time_s ORDER BY seq) FILTER (error IS NULL AND loading_time_s IS NOT NULL), []) AS seconds,
       count(*) FILTER (error IS NOT NULL OR loading_time_s IS NULL) AS failed,
       min(started_at) AS began_at, max(started_at) AS last_at,
       coalesce(sum(coalesce(steal_s, 0) + coalesce(throttled_s, 0)) FILTER (error IS NULL AND loading_time_s IS NOT NULL), 0) AS taken_s
FROM load_facts l
WHERE NOT warmup AND arm IS NOT NULL
GROUP BY l.run_id, session, arm
ORDER BY l.run_id, session, arm
