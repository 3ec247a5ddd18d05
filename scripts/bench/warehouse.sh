#!/usr/bin/env bash
# Times every question, the export and the import of a simulated warehouse beside
# what DuckDB itself takes for the same SQL.
#
#   scripts/bench/warehouse.sh SLLMQ [LOADS [FOLDER]]
#
# LOADS is 10000000: that takes 20 GB below FOLDER (a temporary one), 8 GB of
# memory and half an hour. DuckDB itself is the Python package of the version
# that is linked in, from PyPI, or of the Python that SLLMQ_BENCH_PYTHON names.
# SLLMQ_BENCH_ROUNDS is 5; SLLMQ_BENCH_WAREHOUSE names a warehouse simulated before.
set -euo pipefail

sllmq=$(realpath "$1")
loads=${2:-10000000}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d ${3:+-p "$3"})
trap 'rm -rf "$work"' EXIT

warehouse=${SLLMQ_BENCH_WAREHOUSE:-}
if [[ -z $warehouse ]]; then
	warehouse=$work/simulated.duckdb
	(cd "$root" && go run ./scripts/simulate -loads "$loads" -memory 8GB -warehouse "$warehouse")
fi
python=${SLLMQ_BENCH_PYTHON:-}
if [[ -z $python ]]; then
	version=$("$sllmq" sql --warehouse "$warehouse" --format csv "select version()" | tail -1)
	python3 -m venv "$work/venv"
	"$work/venv/bin/pip" install --quiet "duckdb==${version#v}"
	python=$work/venv/bin/python
fi
"$python" "$root/scripts/bench/warehouse.py" "$sllmq" "$warehouse" "$work/scratch" "${SLLMQ_BENCH_ROUNDS:-5}" ${SLLMQ_BENCH_PART:-}
