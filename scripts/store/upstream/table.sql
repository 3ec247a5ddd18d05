-- Medians by loader, without the first load of each session, whose pool is new.
with counted as (
	select *, row_number() over (partition by run_id, session order by seq) as nth
	from load_facts
	where error is null and tags['upstream'] in ('theirs', 'ours')
)
select
	benchmark_type,
	case when loader = 'pool' then 'pool' when tags['upstream'] = 'ours' then 'store (sllmq)' else 'store (ServerlessLLM)' end as loader,
	count(*) as loads,
	round(median(loading_time_s), 4) as median_s,
	round(min(loading_time_s), 4) as min_s,
	round(max(loading_time_s), 4) as max_s,
	round(median(bytes / loading_time_s) / 1e9, 2) as median_gb_per_s,
	round(median(loading_time_s) / (select median(p.loading_time_s) from counted as p where p.nth > 1 and p.loader = 'pool' and p.benchmark_type = c.benchmark_type), 2) as of_pool
from counted as c
where nth > 1
group by 1, 2
order by 1, 2
