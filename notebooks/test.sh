#!/usr/bin/env bash
# Runs notebooks/export.ipynb from start to end on fresh measurements.
#
#   notebooks/test.sh SLLMQ [FOLDER]
#
# Needs 2 GB of disk in FOLDER (default: the folder for temporary files). The first call
# installs the packages of requirements.txt from PyPI into .venv-notebook, unless
# SLLMQ_NOTEBOOK_PYTHON names a Python that has them.
set -euo pipefail

sllmq=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d ${2:+-p "$2"})
trap 'rm -rf "$work"' EXIT

python=${SLLMQ_NOTEBOOK_PYTHON:-}
if [[ -z $python ]]; then
	python=$here/../.venv-notebook/bin/python
	if ! cmp -s "$here/requirements.txt" "$here/../.venv-notebook/requirements.txt"; then
		python3 -m venv "$here/../.venv-notebook"
		"$python" -m pip install --quiet --requirement "$here/requirements.txt"
		cp "$here/requirements.txt" "$here/../.venv-notebook/requirements.txt"
	fi
fi

cd "$work"
"$sllmq" collect --model-name synthetic/opt-125m --benchmark-type random,cached --num-replicas 2 --inference none --no-roofline --storage-path models
for layout in "" "--partition-by month,machine"; do
	rm -rf exported
	# shellcheck disable=SC2086 # $layout is a flag and its value, or empty
	"$sllmq" export --to exported $layout >/dev/null
	cp "$here/export.ipynb" .
	"$python" -c 'from nbclient.cli import main; main()' --inplace export.ipynb
	"$python" - "$layout" <<'PYTHON'
import json, sys
cells = [c for c in json.load(open("export.ipynb"))["cells"] if c["cell_type"] == "code"]
assert all(c["execution_count"] for c in cells) and any("image/png" in o.get("data", {}) for c in cells for o in c["outputs"])
picture = open("loads.png", "rb").read()
assert picture.startswith(b"\x89PNG") and len(picture) > 10_000
print(f"notebook: {len(cells)} cells ran over an export{' with ' + sys.argv[1] if sys.argv[1] else ''}")
PYTHON
done
