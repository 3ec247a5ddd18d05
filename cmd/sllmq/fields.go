package main

import (
	"errors"
	"fmt"

	"github.com/sllmq/sllmq/collector"
)

// flagOf names the flag of each field of a collector.Request that has one.
var flagOf = map[string]string{
	"Models":         "model-name",
	"BenchmarkTypes": "benchmark-type",
	"Formats":        "format",
	"Loaders":        "loader",
	"Devices":        "device",
	"GDS":            "gds",
	"DeviceMap":      "device-map",
	"Engines":        "engine",
	"Python":         "python",
	"Replicas":       "num-replicas",
	"Sessions":       "sessions",
	"StoragePath":    "storage-path",
	"PoolBytes":      "mem-pool-size",
	"ChunkBytes":     "chunk-size",
	"Threads":        "num-thread",
	"IODepth":        "io-depth",
	"IOBytes":        "io-size",
	"PageCache":      "page-cache",
	"DType":          "dtype",
	"Verify":         "verify",
	"ReplicaMode":    "replica-mode",
	"Seed":           "seed",
	"IOTrace":        "io-trace",
	"Stream":         "stream",
	"AA":             "aa",
	"Inference":      "inference",
	"Prompt":         "prompt",
	"NewTokens":      "max-new-tokens",
	"Temperature":    "temperature",
	"TopP":           "top-p",
	"LoadTimeout":    "load-timeout",
	"StoreAddress":   "store-address",
	"StoreProgram":   "store-program",
}

// nameFlag rephrases an error about a field of a request as one about its flag.
func nameFlag(err error) error {
	var field *collector.FieldError
	if !errors.As(err, &field) {
		return err
	}
	return fmt.Errorf("--%s: %s", flagOf[field.Field], field.Reason)
}
