#!/usr/bin/env bash
# Holds every loader against plain preads and fio on the same cold files, and
# those that stand for Python packages against the packages.
#
#   scripts/bench/loaders.sh SLLMQ [MODEL [FOLDER]]
#
# Prepares MODEL (synthetic/opt-1.3b: 2.6 GB in each of two formats) below FOLDER
# (models) with the binary at SLLMQ. Takes three times the model in memory. Quote
# the ratios: all take turns, so what disturbs one disturbs the others.
#
# fio is used where it is installed (apt-get install fio). The packages are
# those of `make fixtures`, from .venv or from the Python that SLLMQ_BENCH_PYTHON
# names; without them that part is left out. SLLMQ_BENCH_ROUNDS is 5.
set -euo pipefail

sllmq=$(realpath "$1")
model=${2:-synthetic/opt-1.3b}
root=$(cd "$(dirname "$0")/../.." && pwd)
storage=$(realpath -m "${3:-$root/models}")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$sllmq" collect --model-name "$model" --storage-path "$storage" --warehouse "$work/bench.duckdb" \
	--loader raw --format safetensors,sllm --num-replicas 1 --dtype float16 >/dev/null 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
export SLLMQ_BENCH_SAFETENSORS=$storage/$model/float16/safetensors/0
export SLLMQ_BENCH_SLLM=$storage/$model/float16/sllm/0
if [[ -z ${SLLMQ_BENCH_PYTHON:-} && -x $root/.venv/bin/python ]]; then
	export SLLMQ_BENCH_PYTHON=$root/.venv/bin/python
fi
if [[ -z ${SLLMQ_BENCH_PYTHON:-} ]]; then
	echo "no .venv (make fixtures makes it): the Python packages are left out" >&2
fi
cd "$root"
go test -v -count=1 -timeout 2h -run "${SLLMQ_BENCH_RUN:-^TestBench}" ./collector/loader | grep -Ev '^(=== |PASS$)'
