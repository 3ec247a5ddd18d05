#!/usr/bin/env bash
# Compares the loader pool with ServerlessLLM's store (the code of serverless-llm-store
# 0.8.0) on the device host: the same files, 4 threads and 16 MB chunks, pools that have
# already held a load, in processes that take turns.
#
#   scripts/bench/upstream.sh SLLMQ [MODEL [FOLDER]]
#
# Source the file env that scripts/store/upstream/prepare.sh writes first. The store is
# called in its own process, without gRPC and into memory that already exists, so that only
# its reading and copying are timed; cudart.c replaces CUDA. See
# scripts/store/upstream/time_store.py.
#
# MODEL defaults to synthetic/opt-1.3b (2.6 GB), prepared in FOLDER (default: models).
# Needs memory for twice the model. SLLMQ_BENCH_REPLICAS defaults to 4; the first load of
# each process is listed separately, because its pool is new. SLLMQ_BENCH_SESSIONS defaults
# to 3. Quote the ratios, not the times: a disturbance affects both.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
sllmq=$(realpath "$1")
model=${2:-synthetic/opt-1.3b}
storage=${3:-models}
replicas=${SLLMQ_BENCH_REPLICAS:-4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
collect() {
	"$sllmq" collect --model-name "$model" --format sllm --storage-path "$storage" --num-replicas "$replicas" \
		--inference none --verify none --no-roofline --warehouse "$work/bench.duckdb" "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
}
collect --loader raw --tag bench=prepare
models=() bytes=0
for ((i = 0; i < replicas; i++)); do
	models+=("$model/float16/sllm/$i")
done
for f in "$storage/${models[0]}"/tensor.data_*; do
	bytes=$((bytes + (($(stat -c %s "$f") >> 24) + 2 << 24)))
done
echo who,benchmark_type,nth,seconds >"$work/theirs.csv"
for ((session = 0; session < ${SLLMQ_BENCH_SESSIONS:-3}; session++)); do
	PYTHONPATH=$UPSTREAM:$SITE LD_LIBRARY_PATH=${GLOG:+$GLOG/lib:}${LD_LIBRARY_PATH:-} GLOG_minloglevel=1 \
		"$PYTHON" "$here/../store/upstream/time_store.py" "$storage" "$bytes" "${models[@]}" >"$work/lines" 2>"$work/errors" ||
		echo "upstream.sh: ServerlessLLM's store exited with status $?: $(tail -1 "$work/errors")" >&2
	sed 's/^/serverlessllm,/' "$work/lines" >>"$work/theirs.csv"
	collect --loader pool --mem-pool-size "${bytes}B" --benchmark-type random,cached --tag bench=pool
done
"$sllmq" sql --warehouse "$work/bench.duckdb" "
	with pool as (
		select 'pool' as who, benchmark_type, row_number() over (partition by run_id, session order by seq) - 1 as nth, loading_time_s as seconds
		from load_facts where tags['bench'] = 'pool' and error is null),
	counted as (
		select *, case when nth > 0 then benchmark_type when benchmark_type = 'random' then 'random, first' end as load
		from (from pool union all by name from read_csv('$work/theirs.csv')))
	select load, count(*) filter (who = 'pool') as pool_loads, count(*) filter (who != 'pool') as store_loads,
		round(median(seconds) filter (who = 'pool'), 4) as pool_s,
		round(median(seconds) filter (who != 'pool'), 4) as store_s,
		round(stddev(seconds) filter (who = 'pool'), 4) as pool_sd_s,
		round(stddev(seconds) filter (who != 'pool'), 4) as store_sd_s,
		round(median(seconds) filter (who != 'pool') / median(seconds) filter (who = 'pool'), 2) as store_over_pool
	from counted where load is not null group by all order by all"
