#!/usr/bin/env bash
# Generates collector/sllmstore/storagepb from its .proto files. protoc comes with
# grpcio-tools (PyPI), protoc-gen-go from go.mod, protoc-gen-go-grpc from its own
# module; all versions are pinned.
#
#   scripts/store/proto.sh [PYTHON]
#
# PYTHON must have the packages of requirements.txt. By default they are installed in
# .venv-store.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:-}
if [[ -z $python ]]; then
	python=.venv-store/bin/python
	[[ -x $python ]] || python3 -m venv .venv-store
	"$python" -m pip install --quiet --requirement scripts/store/requirements.txt
fi
to=collector/sllmstore/storagepb
plugins=$(mktemp -d)
trap 'rm -rf "$plugins"' EXIT
GOBIN=$plugins go install google.golang.org/protobuf/cmd/protoc-gen-go
GOBIN=$plugins go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
"$python" -m grpc_tools.protoc --proto_path=. \
	--plugin=protoc-gen-go="$plugins/protoc-gen-go" --go_out=. --go_opt=paths=source_relative \
	--plugin=protoc-gen-go-grpc="$plugins/protoc-gen-go-grpc" --go-grpc_out=. --go-grpc_opt=paths=source_relative \
	$to/storage.proto $to/sllmq.proto
