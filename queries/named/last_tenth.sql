-- title: What happens in the last tenth of traced loads
-- parameter: model = '%', pattern of models' names
-- columns: medians over loads. bytes_share of the bytes arrived in the last tenth of the time (0.1: the storage was as busy as before); reads_before and reads_in_it were under way on average; copies_in_it likewise; before_reads_s passed until the first read began, copies_alone_s from the last byte read to the last copied, after_copies_s from there to the end
WITH traced AS (
    SELECT model, format, loader, device, run_id, seq, loading_time_s, 0.9 * loading_time_s AS tenth_s, t.bytes, t.start_s,
           t.start_s + t.duration_s AS read_s, coalesce(t.copied_s, read_s) AS there_s
    FROM load_facts JOIN io_trace t USING (run_id, seq)
    WHERE NOT warmup AND error IS NULL AND model LIKE $model
), per_load AS (
    SELECT model, format, loader, device, run_id, seq, any_value(loading_time_s) AS loading_time_s, any_value(tenth_s) AS tenth_s,
           -- A request's bytes arrive evenly while it is under way.
           sum(bytes * greatest(0, read_s - greatest(start_s, tenth_s)) / greatest(read_s - start_s, 1e-9)) / sum(bytes) AS bytes_share,
           sum(greatest(0, least(read_s, tenth_s) - start_s)) / any_value(tenth_s) AS reads_before,
           sum(greatest(0, read_s - greatest(start_s, tenth_s))) / any_value(loading_time_s - tenth_s) AS reads_in_it,
           sum(greatest(0, there_s - greatest(read_s, tenth_s))) / any_value(loading_time_s - tenth_s) AS copies_in_it,
           min(start_s) AS before_reads_s, max(there_s) - max(read_s) AS copies_alone_s, any_value(loading_time_s) - max(there_s) AS after_copies_s
    FROM traced
    GROUP BY ALL
)
SELECT model, format, loader, device, count(*) AS loads, median(loading_time_s) AS median_s, round(median(bytes_share), 4) AS bytes_share,
       -- The clock tells nanoseconds; what is below is the arithmetic's.
       round(median(reads_before), 4) AS reads_before, round(median(reads_in_it), 4) AS reads_in_it, round(median(copies_in_it), 4) AS copies_in_it,
       median(before_reads_s) AS before_reads_s, round(median(copies_alone_s), 9) AS copies_alone_s, round(median(after_copies_s), 9) AS after_copies_s
FROM per_load
GROUP BY ALL
ORDER BY ALL
