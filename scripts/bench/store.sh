#!/usr/bin/env bash
# Compares the loaders store (sllmq's own store) and pool: the same model and settings,
# cold and cached, in sessions that take turns.
#
#   scripts/bench/store.sh SLLMQ [MODEL [FOLDER]]
#
# MODEL defaults to synthetic/opt-1.3b (2.6 GB), prepared in FOLDER (default: models).
# Needs memory for three times the model. SLLMQ_BENCH_REPLICAS defaults to 5,
# SLLMQ_BENCH_SESSIONS to 2. Quote the ratios, not the times: a disturbance affects both.
set -euo pipefail
sllmq=$(realpath "$1")
model=${2:-synthetic/opt-1.3b}
storage=${3:-models}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$sllmq" collect --model-name "$model" --loader pool,store --store-program sllmq --format sllm --storage-path "$storage" \
	--benchmark-type random,cached --num-replicas "${SLLMQ_BENCH_REPLICAS:-5}" --sessions "${SLLMQ_BENCH_SESSIONS:-2}" \
	--inference none --verify none --no-roofline --warehouse "$work/bench.duckdb" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
"$sllmq" sql --warehouse "$work/bench.duckdb" "
	select benchmark_type, count(*) filter (loader = 'pool') as loads,
		round(median(loading_time_s) filter (loader = 'pool'), 4) as pool_s,
		round(median(loading_time_s) filter (loader = 'store'), 4) as store_s,
		round(median(loading_time_s) filter (loader = 'store') / median(loading_time_s) filter (loader = 'pool'), 2) as store_over_pool
	from load_facts where not warmup and error is null group by all order by all"
