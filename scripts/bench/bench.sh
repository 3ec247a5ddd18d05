#!/usr/bin/env bash
# Compares speeds with their targets: the loaders with fio, plain reads, memory copies
# and the Python packages on the same files; the warehouse with DuckDB itself.
#
#   scripts/bench/bench.sh SLLMQ [MODEL...]
#
# SLLMQ is the program. Each MODEL (default: synthetic/opt-1.3b and synthetic/opt-6.7b)
# is prepared in both formats in SLLMQ_BENCH_FOLDER, and removed afterwards if it was not
# there before. The two take 5.2 and 27 GB of disk. Memory: three times the smaller model,
# once the larger; parts that do not fit are skipped with a message. Quote the ratios, not
# the times: contenders take turns, so a disturbance affects all of them.
#
# If fio is missing, it is installed, given root and apt-get. The Python packages are those
# that make fixtures installs, in .venv or for SLLMQ_BENCH_PYTHON; without them their part
# is skipped.
#
# Variables, with their defaults:
#   SLLMQ_BENCH_FOLDER=bench    folder for models and warehouses
#   SLLMQ_BENCH_ROUNDS=5        rounds per contender
#   SLLMQ_BENCH_LOADS=10000000  loads in the simulated warehouse (0 skips it); this many
#                               take 15 GB of disk and 8 GB of memory
#   SLLMQ_BENCH_PARTS=loaders,summary,export,import
#                               also: questions (all saved queries), and insert (import
#                               compared with DuckDB's own, ten minutes per round)
#   SLLMQ_BENCH_WAREHOUSE       a warehouse simulated earlier, to reuse
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
export SLLMQ_BENCH_PROGRAM=$(realpath "$1")
shift
models=("${@:-}")
[[ -n ${models[0]} ]] || models=(synthetic/opt-1.3b synthetic/opt-6.7b)
folder=$(realpath -m "${SLLMQ_BENCH_FOLDER:-$root/bench}")
loads=${SLLMQ_BENCH_LOADS:-10000000}
parts=${SLLMQ_BENCH_PARTS:-loaders,summary,export,import}
if [[ -z ${SLLMQ_BENCH_PYTHON:-} && -x $root/.venv/bin/python ]]; then
	export SLLMQ_BENCH_PYTHON=$root/.venv/bin/python
fi

mkdir -p "$folder"
work=$(mktemp -d "$folder/work-XXXXXX")
trap 'rm -rf "$work"; rmdir --ignore-fail-on-non-empty "$folder"' EXIT
export SLLMQ_BENCH_TABLE=$work/table
if [[ ,$parts, == *,loaders,* ]] && ! command -v fio >/dev/null && [[ $EUID == 0 ]] && command -v apt-get >/dev/null; then
	apt-get install -y fio >"$work/log" 2>&1 || { tail -n 5 "$work/log" >&2; echo "bench.sh: fio is missing and could not be installed" >&2; }
fi
cd "$root"
go test -c -o "$work/bench.test" ./scripts/bench
go build -o "$work/simulate" ./scripts/simulate
run() { (cd scripts/bench && "$work/bench.test" -test.timeout 3h -test.run "$1" | sed '/^PASS$/d'); }

if [[ ,$parts, == *,loaders,* ]]; then
	run '^TestAppend(BesideDuckDB)?$'
else
	models=()
fi
for model in "${models[@]}"; do
	was_there=no
	[[ -d $folder/$model ]] && was_there=yes
	"$SLLMQ_BENCH_PROGRAM" collect --model-name "$model" --storage-path "$folder" --warehouse "$work/prepared.duckdb" \
		--loader raw --format safetensors,sllm --num-replicas 1 --dtype float16 --verify none --inference none --no-roofline \
		>/dev/null 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
	SLLMQ_BENCH_MODEL=$folder/$model run '^(TestLoaders|TestPython)$'
	if [[ $was_there == no ]]; then
		rm -rf "${folder:?}/$model"
		rmdir --ignore-fail-on-non-empty -p "$(dirname "$folder/$model")" 2>/dev/null || true
	fi
done
if ((loads > 0)); then
	export SLLMQ_BENCH_WAREHOUSE=${SLLMQ_BENCH_WAREHOUSE:-$work/many.duckdb}
	[[ -e $SLLMQ_BENCH_WAREHOUSE ]] || "$work/simulate" -loads "$loads" -memory 8GB -warehouse "$SLLMQ_BENCH_WAREHOUSE" >/dev/null
	run "^TestManyLoads\$/^(${parts//,/|})\$"
fi

echo
echo "$(date -u +%F), $(nproc) CPUs ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), Linux $(uname -r), $(df --output=source,fstype "$folder" | tail -n 1 | tr -s ' '), load $(cut -d ' ' -f 1 /proc/loadavg)"
printf '%-46s %-10s %-8s %s\n' "what" "target" "" "reached"
cat "$SLLMQ_BENCH_TABLE"
