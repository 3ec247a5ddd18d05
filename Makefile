# Run make without arguments to list the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# go-nvml calls functions of NVML that its own header deprecates.
export CGO_CFLAGS := -O2 -g -Wno-deprecated-declarations

BIN  := bin/sllmq
DEMO := demo

.PHONY: help build test race lint fuzz demo false-alarms bench bench-parts bench-warehouse bench-store \
  fixtures parquet-test notebook-test engine-test proto store-judge store-upstream bench-upstream report-test deploy-check clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 18

build: ## build bin/sllmq
	go build -o $(BIN) ./cmd/sllmq

test: ## run all tests
	go test ./...

race: ## run the collector's tests under the race detector
	go test -race ./collector/...

lint: ## run gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

# A duration (10s) or a number of executions (20000x). CI uses executions, because a
# duration that ends while a fuzz worker is busy fails a target that found nothing.
FUZZTIME ?= 10s
fuzz: ## run each fuzz target for FUZZTIME (10s, or executions: 20000x)
	@grep -rl '^func Fuzz' --include='*_test.go' . | while read -r file; do \
	  for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9]+)\(.*/\1/p' "$$file"); do \
	    go test "$$(dirname "$$file")" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x; \
	  done; \
	done

demo: build ## measure a small synthetic model in both formats, cold and cached
	@mkdir -p $(DEMO)
	$(BIN) collect --model-name synthetic/opt-125m --benchmark-type random,cached --num-replicas 5 \
	  --storage-path $(DEMO)/models --warehouse $(DEMO)/sllmq.duckdb

false-alarms: ## measure how often sllmq check is wrong, on simulated data
	go test ./queries -run TestFalseAlarms -v -count=1

BENCH_MODELS ?= synthetic/opt-1.3b synthetic/opt-6.7b
bench: build ## compare loaders with fio and Python, the warehouse with DuckDB (32 GB, 30 minutes)
	scripts/bench/bench.sh $(BIN) $(BENCH_MODELS)

bench-parts: ## run the Go benchmarks: append, index, weights, setup, decoding
	go test ./warehouse ./collector/checkpoint ./collector/loader ./collector/machine -run '^$$' -bench . -benchtime 20x
	go test ./collector/inference -run '^$$' -bench Decode

bench-warehouse: build ## compare queries, export and import with DuckDB, 10 million loads (1 hour)
	SLLMQ_BENCH_PARTS=summary,questions,export,insert scripts/bench/bench.sh $(BIN)

fixtures: build ## check checkpoints with real transformers and safetensors (PyPI)
	scripts/fixtures/check.sh $(BIN)

store-judge: build ## test the store's server with two independent clients (PyPI)
	scripts/store/judge.sh $(BIN)

bench-store: build ## compare the loaders store and pool, cold and cached
	scripts/bench/store.sh $(BIN)

# A Python with the packages of scripts/fixtures/requirements.txt; make fixtures installs
# them in .venv.
ENGINE_PYTHON ?= .venv/bin/python

UPSTREAM := .store-upstream
# Its part engine needs a GPU that torch can use.
store-upstream: build ## test the store with ServerlessLLM's own, without a GPU (PyPI)
	scripts/store/upstream/prepare.sh $(ENGINE_PYTHON) $(UPSTREAM)
	rm -rf $(UPSTREAM)/out
	. $(UPSTREAM)/env; PARTS="build loader client wrong" STORAGE=$(UPSTREAM)/models MODEL=synthetic/opt-125m POOL=320MB REPLICAS=2 SLLMQ=$(BIN) scripts/store/upstream.sh $(UPSTREAM)/out

bench-upstream: build ## compare the pool with ServerlessLLM's store on the host (PyPI)
	scripts/store/upstream/prepare.sh $(ENGINE_PYTHON) $(UPSTREAM)
	. $(UPSTREAM)/env; scripts/bench/upstream.sh $(BIN)

proto: ## generate Go code from the store's .proto files (protoc from PyPI)
	scripts/store/proto.sh

report-test: ## test reports in headless Chromium (REPORT_OUT=DIR keeps screenshots)
	go test -tags browser ./plots/report -run 'Browser|Watch' -count 1

engine-test: ## test the Python engine with real torch and transformers on the CPU
	SLLMQ_ENGINE_PYTHON=$(abspath $(ENGINE_PYTHON)) go test -count=1 -v -run '^TestRealTransformers$$' ./collector

deploy-check: ## check deploy/ with Docker's linter and Kubernetes' types
	cd deploy/check && go vet ./... && go test ./...

parquet-test: ## read exports with pyarrow, Polars, pandas and Spark (PyPI, Java 17)
	scripts/fixtures/check_parquet.sh

notebook-test: build ## run the notebooks from start to end (PyPI)
	notebooks/test.sh $(BIN)

clean: ## remove bin and demo
	rm -rf bin $(DEMO)
