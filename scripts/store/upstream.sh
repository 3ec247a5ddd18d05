#!/usr/bin/env bash
# Compares sllmq with ServerlessLLM's real store, serverless-llm-store 0.8.0. Parts:
#
#   build   build their package from its sdist (upstream/build.sh)
#   loader  measure the loaders store and pool in turns, where store is a client of the
#           real sllm-store, which sllmq starts; cold and cached, with pools that have
#           already held a load
#   engine  measure the engine transformers with their sllm_store and sllm-store, and
#           from_pretrained
#   client  run their Python client on `sllmq store serve` (upstream/client.py)
#   wrong   load a model larger than the pool, both ways
#
#   scripts/store/upstream.sh OUT
#
# Writes upstream.duckdb, the logs and the build to OUT. Needs no network. Variables, with
# defaults in parentheses:
#   SDIST     serverless_llm_store-0.8.0.tar.gz (in the working folder)
#   SLLMQ     the program (bin/sllmq)
#   PYTHON    a Python with torch and safetensors (python3) and, there or in the folder
#             SITE, the packages of upstream/requirements.txt
#   GLOG      folder with glog's include and lib, if they are not the system's
#   STORAGE   a folder on the storage to measure (OUT/models)
#   MODEL     the model to load (synthetic/opt-1.3b)
#   POOL      pool size of the stores: enough for one model but not for two (3GB)
#   REPLICAS, SESSIONS  loads per session, of which the first is not counted, and sessions
#             (4, 2)
#   PARTS     the parts to run (all)
#   UPSTREAM  folder of an earlier build (OUT/upstream)
#   CUDA_HOME the CUDA toolkit, if it is not found
#   STAND_IN  folder with collector/nvidia/cudatest's libcuda.so.1: runs without a GPU, with
#             upstream/cudart.c as CUDA's runtime (upstream/prepare.sh builds both). Such
#             times say nothing about GPUs.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[[ $# -eq 1 ]] || { echo "usage: scripts/store/upstream.sh OUT" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
sllmq=$(realpath "${SLLMQ:-bin/sllmq}")
python=$(command -v "${PYTHON:-python3}")
storage=${STORAGE:-$out/models}
model=${MODEL:-synthetic/opt-1.3b}
pool=${POOL:-3GB}
parts=${PARTS:-build loader engine client wrong}
warehouse=$out/upstream.duckdb
sllm=$model/float16/sllm/0
safetensors=$storage/$model/float16/safetensors/0
theirs=${UPSTREAM:-$out/upstream}
export PATH=$theirs/bin:$PATH PYTHONPATH=${SITE:-} PYTHONUNBUFFERED=1 LOG_LEVEL=INFO
export LD_LIBRARY_PATH=${STAND_IN:+$STAND_IN:}${GLOG:+$GLOG/lib:}${LD_LIBRARY_PATH:-}
LD_LIBRARY_PATH=${LD_LIBRARY_PATH%:}
failures=0
server=
trap '[[ -z $server ]] || kill -9 "$server" 2>/dev/null' EXIT

say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }
does() { case " $parts " in *" $1 "*) ;; *) return 1 ;; esac; }
try() { # SECONDS COMMAND...: reports a failure and continues
	local limit=$1
	shift
	timeout -k 5 "$limit" "$@"
	local code=$?
	if [[ $code -ne 0 ]]; then
		echo "FAILED ($code): $*"
		failures=$((failures + 1))
	fi
	return $code
}
collect() { # SECONDS FLAG...
	local limit=$1
	shift
	try "$limit" "$sllmq" collect --model-name "$model" --storage-path "$storage" --warehouse "$warehouse" \
		--results-path "$out" --no-roofline --inference none "$@" >>"$out/collect.txt" 2>&1 || tail -5 "$out/collect.txt"
}
serve() { # POOL COMMAND...: starts a store and waits until it is ready
	: >"$out/serve.log"
	"${@:2}" --storage-path "$storage" --mem-pool-size "$1" --chunk-size 16MB --num-thread 4 --host 127.0.0.1 --port 8073 >"$out/serve.log" 2>&1 &
	server=$!
	for _ in $(seq 600); do
		grep -q 'Starting gRPC server on' "$out/serve.log" && return
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	echo "FAILED: ${*:2} did not start"
	tail -3 "$out/serve.log"
	failures=$((failures + 1))
}
stop() {
	kill -TERM "$server" 2>/dev/null
	wait "$server" || echo "the store exited with status $?"
	server=
}

if does build; then
	say "prepare $model; build serverless-llm-store 0.8.0"
	{
		collect 120 --format sllm --loader raw --num-replicas "${REPLICAS:-4}" --tag upstream=prepare
		collect 60 --format safetensors --loader raw --num-replicas 1 --tag upstream=prepare
	} &
	[[ -e $theirs/bin/sllm-store ]] ||
		try 150 "$here/upstream/build.sh" "${SDIST:-serverless_llm_store-0.8.0.tar.gz}" "$theirs" "$python" ${STAND_IN:+stand-in} >"$out/build.log" 2>&1 ||
		tail -5 "$out/build.log"
	wait
	[[ $failures -eq 0 ]] || exit 1
fi

if does loader; then
	say "loaders pool and store, the real sllm-store"
	collect 150 --format sllm --loader pool,store --store-program sllm-store --device cuda:0 --benchmark-type random,cached \
		--num-replicas "${REPLICAS:-4}" --sessions "${SESSIONS:-2}" --mem-pool-size "$pool" --tag upstream=theirs
	say "loader store, sllmq's own"
	collect 40 --format sllm --loader store --store-program sllmq --device cuda:0 --benchmark-type random,cached \
		--num-replicas "${REPLICAS:-4}" --mem-pool-size "$pool" --tag upstream=ours
	"$sllmq" sql --warehouse "$warehouse" --file "$here/upstream/table.sql"
	"$sllmq" sql --warehouse "$warehouse" "select left(error, 300) as error from load_facts where error is not null and map_extract(tags, 'upstream') != ['prepare']"
fi

if does engine; then
	say "engine transformers, their sllm_store"
	PYTHONPATH=$theirs:$PYTHONPATH collect 240 --engine transformers --python "$python" --loader from_pretrained,store --store-program sllm-store \
		--device cuda:0 --benchmark-type random,cached --num-replicas 2 --mem-pool-size "$pool" --inference first --tag upstream=engine
	"$sllmq" sql --warehouse "$warehouse" "select benchmark_type, format, loader, median(loading_time_s) filter (not warmup) as median_s, count(*) filter (not warmup and error is null) as loads,
		string_agg(distinct source_tier, ',') as tiers, min(token_ids_sha256)[:12] as tokens, min(packages['sllm_store']) as sllm_store, min(error)[:200] as error from load_facts where map_extract(tags, 'upstream') = ['engine'] group by all order by all"
fi

if does client; then
	say "their Python client on sllmq store serve"
	serve "$pool" "$sllmq" store serve
	PYTHONPATH=$theirs:$PYTHONPATH try 90 "$python" "$here/upstream/client.py" "$storage" "$sllm" "$safetensors" 2>&1 | grep -v -e '^INFO' -e '^DEBUG'
	[[ ${PIPESTATUS[0]} -eq 0 ]] || failures=$((failures + 1))
	stop
fi

if does wrong; then
	say "a model larger than the pool: their client, sllmq store serve"
	serve 64MB "$sllmq" store serve
	PYTHONPATH=$theirs:$PYTHONPATH try 40 "$python" "$here/upstream/client.py" small "$storage" "$sllm" 2>&1 | grep -v -e '^INFO' -e '^DEBUG'
	[[ ${PIPESTATUS[0]} -eq 0 ]] || failures=$((failures + 1))
	stop
	say "a model larger than the pool: sllmq, their server"
	serve 64MB sllm-store start
	timeout -k 5 60 "$sllmq" collect --model-name "$model" --storage-path "$storage" --warehouse "$warehouse" --no-roofline --inference none \
		--format sllm --loader store --store-address 127.0.0.1:8073 --device cuda:0 --num-replicas 1 --load-timeout 15s --tag upstream=small >"$out/small.txt" 2>&1
	grep 'start it with a larger pool' "$out/small.txt" || {
		echo "FAILED: sllmq did not refuse it"
		failures=$((failures + 1))
	}
	kill -9 "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	server=
fi
say "done, $failures failed"
[[ $failures -eq 0 ]]
