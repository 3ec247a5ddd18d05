-- title: Runs whose loading times fall into two groups
-- parameter: model = '%', pattern of models' names
-- parameter: separation = '0.8', the least separation to report
-- columns: the groups are cut where their means explain the most variance, and separation is that share: 0.64 of a normal distribution, 0.75 of an even one, near 1 of two groups; a run counts from 8 loads on, a group from a tenth of them
WITH ordered AS (
    SELECT run_id, machine, model, benchmark_type, format, loader, loading_time_s, source_tier,
           row_number() OVER run AS place, count(*) OVER (PARTITION BY run_id) AS loads,
           avg(loading_time_s) OVER run AS fast_mean_s, avg(loading_time_s) OVER (PARTITION BY run_id) AS mean_s,
           var_pop(loading_time_s) OVER (PARTITION BY run_id) AS variance
    FROM load_facts
    WHERE NOT warmup AND error IS NULL AND loading_time_s IS NOT NULL AND model LIKE $model
    WINDOW run AS (PARTITION BY run_id ORDER BY loading_time_s ROWS UNBOUNDED PRECEDING)
), cuts AS (
    -- What is above the cut has the rest of the sum.
    SELECT run_id, place AS fast_loads, loading_time_s AS cut_s,
           place::DOUBLE / (loads - place) * (mean_s - fast_mean_s) * (mean_s - fast_mean_s) / variance AS explained
    FROM ordered
    WHERE loads >= 8 AND variance > 0 AND place < loads AND place >= loads / 10 AND loads - place >= loads / 10
), best AS (
    SELECT run_id, arg_max(fast_loads, explained) AS fast_loads, arg_max(cut_s, explained) AS cut_s, max(explained) AS separation
    FROM cuts
    GROUP BY run_id
)
SELECT o.machine, o.model, o.benchmark_type, o.format, o.loader, o.run_id, any_value(o.loads) AS loads,
       any_value(b.fast_loads) AS fast_loads,
       median(loading_time_s) FILTER (place <= b.fast_loads) AS fast_median_s,
       median(loading_time_s) FILTER (place > b.fast_loads) AS slow_median_s,
       mode(source_tier) FILTER (place <= b.fast_loads) AS fast_source_tier,
       mode(source_tier) FILTER (place > b.fast_loads) AS slow_source_tier,
       any_value(b.separation) AS separation
FROM ordered o
JOIN best b USING (run_id)
WHERE b.separation >= $separation::DOUBLE
GROUP BY o.machine, o.model, o.benchmark_type, o.format, o.loader, o.run_id
ORDER BY separation DESC, run_id
