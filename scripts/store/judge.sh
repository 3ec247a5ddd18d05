#!/usr/bin/env bash
# Tests `sllmq store serve` with two independent clients: judge_client.py, and
# ServerlessLLM's own, which judge_theirs.py calls.
#
#   scripts/store/judge.sh SLLMQ [PYTHON]
#
# PYTHON must have the packages of requirements.txt. By default they are installed in
# .venv-store.
set -euo pipefail
sllmq=$(realpath "$1")
cd "$(dirname "$0")/../.."
python=${2:-}
if [[ -z $python ]]; then
	python=.venv-store/bin/python
	[[ -x $python ]] || python3 -m venv .venv-store
	"$python" -m pip install --quiet --requirement scripts/store/requirements.txt
fi
work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
# The wheel is for CPython 3.10. Only its compiled part needs that version; its client does not.
"$python" -m pip download --quiet --no-deps --require-hashes --only-binary :all: --python-version 3.10 --implementation cp --abi cp310 \
	--platform manylinux1_x86_64 --requirement scripts/store/requirements-theirs.txt --dest "$work/wheel"
"$python" -m zipfile --extract "$work"/wheel/*.whl "$work/theirs"
"$python" -m grpc_tools.protoc --proto_path=collector/sllmstore/storagepb --python_out="$work" --grpc_python_out="$work" storage.proto
"$sllmq" collect --model-name synthetic/opt-125m --format sllm --loader raw --num-replicas 1 --no-roofline \
	--storage-path "$work/models" --warehouse "$work/judge.duckdb" >"$work/collect.log" 2>&1 || { cat "$work/collect.log" >&2; exit 1; }
"$sllmq" store serve --storage-path "$work/models" --mem-pool-size 512MB --port 0 >"$work/ready" 2>"$work/server.log" &
server=$!
for _ in $(seq 300); do
	grep -q 'Starting gRPC server on' "$work/ready" && break
	sleep 0.1
done
address=$(sed -n 's/^Starting gRPC server on //p' "$work/ready")
judge() { # SCRIPT [ARGUMENT...]: runs it against the server, logs the server's output if it fails
	"$python" "scripts/store/$1" "${@:2}" "$address" "$work/models" synthetic/opt-125m/float16/sllm/0 || { cat "$work/server.log" >&2; exit 1; }
}
judge judge_client.py "$work"
PYTHONPATH=$work/theirs LOG_LEVEL=CRITICAL judge judge_theirs.py
kill -TERM "$server"
wait "$server"
server=
