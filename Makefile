# make prints what it can do.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN  := bin/sllmq
DEMO := demo

.PHONY: help build test race lint fuzz demo false-alarms bench bench-parts bench-warehouse bench-store \
  fixtures parquet-test notebook-test engine-test proto store-judge store-upstream bench-upstream report-test deploy-check clean

help: ## print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 18

build: ## build bin/sllmq
	go build -o $(BIN) ./cmd/sllmq

test: ## run every test
	go test ./...

race: ## run the tests of the packages without a database under the race detector
	go test -race ./collector/...

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

# A number of runs (20000x) or a time. Runs are what CI asks for: a time that ends while
# a worker is busy fails a target that found nothing.
FUZZTIME ?= 10s
fuzz: ## run each fuzz target for FUZZTIME (10s, or a number of runs: 20000x)
	@grep -rl '^func Fuzz' --include='*_test.go' . | while read -r file; do \
	  for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9]+)\(.*/\1/p' "$$file"); do \
	    go test "$$(dirname "$$file")" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x; \
	  done; \
	done

demo: build ## collect a small made-up model in both formats, cold and cached, and sum it up
	@mkdir -p $(DEMO)
	$(BIN) collect --model-name synthetic/opt-125m --benchmark-type random,cached --num-replicas 5 \
	  --storage-path $(DEMO)/models --warehouse $(DEMO)/sllmq.duckdb

false-alarms: ## how often the gate of sllmq check is wrong, and what it finds
	go test ./queries -run TestFalseAlarms -v -count=1

BENCH_MODELS ?= synthetic/opt-1.3b synthetic/opt-6.7b
bench: build ## hold loaders against fio and Python, the warehouse against DuckDB (32 GB of disk, half an hour)
	scripts/bench/bench.sh $(BIN) $(BENCH_MODELS)

bench-parts: ## what an append, reading an index, making weights, loads' set-up and decoding cost
	go test ./warehouse ./collector/checkpoint ./collector/loader ./collector/machine -run '^$$' -bench . -benchtime 20x
	go test ./collector/inference -run '^$$' -bench Decode

bench-warehouse: build ## every question, export and import over 10 million simulated loads beside DuckDB's own (an hour)
	SLLMQ_BENCH_PARTS=summary,questions,export,insert scripts/bench/bench.sh $(BIN)

fixtures: build ## hold what sllmq writes against real transformers and safetensors (PyPI)
	scripts/fixtures/check.sh $(BIN)

store-judge: build ## hold the store's server against a client that is not ours (grpcio from PyPI)
	scripts/store/judge.sh $(BIN)

bench-store: build ## hold the store beside the pool in this process, cold and cached
	scripts/bench/store.sh $(BIN)

# Its packages are those of scripts/fixtures/requirements.txt: `make fixtures` puts them into .venv.
ENGINE_PYTHON ?= .venv/bin/python

UPSTREAM := .store-upstream
store-upstream: build ## hold the store's client and server against ServerlessLLM's own, without a GPU (PyPI)
	scripts/store/upstream/prepare.sh $(ENGINE_PYTHON) $(UPSTREAM)
	rm -rf $(UPSTREAM)/out
	. $(UPSTREAM)/env; STORAGE=$(UPSTREAM)/models MODEL=synthetic/opt-125m POOL=320MB REPLICAS=2 SLLMQ=$(BIN) scripts/store/upstream.sh $(UPSTREAM)/out

bench-upstream: build ## hold the pool beside ServerlessLLM's store on the host, cold and cached (PyPI)
	scripts/store/upstream/prepare.sh $(ENGINE_PYTHON) $(UPSTREAM)
	. $(UPSTREAM)/env; scripts/bench/upstream.sh $(BIN)

proto: ## generate the Go of sllm-store's contract from its .proto files (protoc from PyPI)
	scripts/store/proto.sh

report-test: ## open reports in headless Chromium (REPORT_OUT=DIR keeps screenshots)
	go test -tags browser ./plots/report -run 'Browser|Watch' -count 1

engine-test: ## hold the Python engine against real torch and transformers on the CPU
	SLLMQ_ENGINE_PYTHON=$(abspath $(ENGINE_PYTHON)) go test -count=1 -v -run '^TestRealTransformers$$' ./collector

deploy-check: ## hold the Dockerfile and the manifests of deploy to those who read them
	cd deploy/check && go vet ./... && go test ./...

parquet-test: ## let pyarrow, Polars, pandas and Spark read what sllmq exports (PyPI, Java 17)
	scripts/fixtures/check_parquet.sh

notebook-test: build ## run notebooks/*.ipynb from start to end (PyPI)
	notebooks/test.sh $(BIN)

clean: ## remove bin and demo
	rm -rf bin $(DEMO)
