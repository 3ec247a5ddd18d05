// Package collector prepares checkpoints, runs loads in worker processes, and
// hands the measurements to a Sink.
//
// A benchmark takes four steps, each a value that the next one needs:
//
//	request := collector.DefaultRequest()                   // what to measure
//	resolved, err := collector.Resolve(ctx, request, o)     // what is here: models, GPUs, interpreters, memory
//	plan, err := resolved.Plan()                            // every load in order; no I/O
//	result, err := collector.Run(ctx, plan, sink, progress, program)
//
// Everything that can fail before the first byte is written fails in Resolve or
// Plan. Run prepares the replicas, then runs each session in a worker process
// (package worker) and appends the rows of a load when it ends.
package collector

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/internal/size"
)

// Benchmark types.
const (
	Random = "random" // N replicas, each loaded once, in a seeded permutation
	Cached = "cached" // one replica, one warm-up load, then N counted loads
)

// What happens to a replica's pages before a load.
const (
	PageCacheDrop = "drop"
	PageCacheKeep = "keep"
)

// DeviceMapAuto spreads a model over several devices.
const DeviceMapAuto = "auto"

// When the tensors of a load are compared with their checksums.
const (
	VerifyFirst = "first" // after the first load of each replica in a run
	VerifyAll   = "all"
	VerifyNone  = "none"
)

// After which loads a text is generated.
const (
	InferenceAll   = "all"
	InferenceFirst = "first" // of each worker process
	InferenceNone  = "none"
)

// Request is what to measure. Each list is an axis of the matrix of runs.
type Request struct {
	Models         []string
	BenchmarkTypes []string
	Formats        []string // empty: those that the loaders take
	Loaders        []string // empty: each format's default
	Devices        []string
	GDS            string // how direct fills a GPU: see loader.Options
	DeviceMap      string // auto: one model over all Devices; empty: a run for each
	Engines        []string
	Python         string // interpreter of the transformers engine
	Replicas       int
	Sessions       int // worker processes per run
	StoragePath    string
	PoolBytes      int64
	PoolFixed      bool // fail instead of reducing PoolBytes to the available memory
	ChunkBytes     int64
	Threads        int
	IODepth        int    // concurrent reads, of the loaders that choose; 0: their default
	IOBytes        int64  // of a read, of those loaders; 0: their default
	PageCache      string // empty: drop for random, keep for cached
	DType          string
	Verify         string
	ReplicaMode    string
	Seed           int64
	Roofline       bool // measured before each session
	IOTrace        bool // record each request of a load
	Stream         bool // pass models larger than the pool through it
	AA             bool // run everything twice, to estimate noise
	Inference      string
	Prompt         string
	NewTokens      int     // at most
	Temperature    float64 // 0: greedy
	TopP           float64
	LoadTimeout    time.Duration // 0: by the checkpoint's size
	StoreAddress   string        // of the sllm-store that loader store is a client of; empty: start one
	StoreProgram   string        // to start; OwnStore: ours; empty: sllm-store for GPUs where it is installed, else ours
	StoreLog       string        // file for the output of a store that is started
	Tags           map[string]string
}

// DefaultRequest has the defaults of ServerlessLLM's benchmark, and ours where it
// has none.
func DefaultRequest() Request {
	return Request{
		Models:         []string{"facebook/opt-6.7b"},
		BenchmarkTypes: []string{Random},
		Devices:        []string{device.Host},
		GDS:            loader.GDSOff,
		Engines:        []string{EngineNative},
		Python:         "python3",
		Replicas:       30,
		Sessions:       1,
		StoragePath:    "/models",
		PoolBytes:      32 << 30,
		ChunkBytes:     16 << 20,
		StoreLog:       "sllm-store.log",
		Threads:        4,
		DType:          "float16",
		Verify:         VerifyFirst,
		Roofline:       true,
		ReplicaMode:    string(checkpoint.ReplicaAuto),
		Inference:      InferenceAll,
		Prompt:         "The quick brown fox jumps over the lazy dog.",
		NewTokens:      50,
		TopP:           1,
	}
}

// Choices lists the values of the fields of a Request that take names.
func Choices() map[string][]string {
	var loaders, formats, engineNames []string
	for _, e := range engines() {
		engineNames = append(engineNames, e.name)
		for _, t := range e.techniques {
			if !slices.Contains(loaders, t.Name) {
				loaders = append(loaders, t.Name)
			}
		}
	}
	for _, f := range checkpoint.Formats() {
		formats = append(formats, string(f))
	}
	return map[string][]string{
		"Models":         checkpoint.SyntheticNames(),
		"BenchmarkTypes": {Random, Cached},
		"Formats":        formats,
		"Loaders":        loaders,
		"Devices":        {device.Host, "cuda:0"},
		"DeviceMap":      {DeviceMapAuto},
		"GDS":            {loader.GDSOff, loader.GDSRequire, loader.GDSCompat},
		"Engines":        engineNames,
		"DType":          {"float16", "bfloat16", "float32", checkpoint.AutoDType},
		"PageCache":      {PageCacheDrop, PageCacheKeep},
		"Verify":         {VerifyFirst, VerifyAll, VerifyNone},
		"ReplicaMode":    {string(checkpoint.ReplicaAuto), string(checkpoint.ReplicaCopy), string(checkpoint.ReplicaReflink)},
		"Inference":      {InferenceAll, InferenceFirst, InferenceNone},
	}
}

// FieldError reports a field of a Request that cannot be used, and why.
type FieldError struct {
	Field  string // its name in Request
	Reason string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

func fieldErrorf(field, format string, args ...any) error {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}

// Limits far above any real use. They keep a typing error from becoming a plan of
// terabytes.
const (
	maxReplicas   = 100_000
	maxSessions   = 10_000
	maxThreads    = 1024
	maxChunkBytes = 1 << 30
	maxPrompt     = 64 << 10 // bytes
	maxNewTokens  = 4096
)

// Validate checks what can be checked without looking at the machine. Its errors
// are FieldErrors.
func (r Request) Validate() error {
	choices := Choices()
	for _, axis := range []struct {
		field  string
		values []string
		may    bool // be empty
		check  func(string) error
	}{
		{"Models", r.Models, false, nil},
		{"BenchmarkTypes", r.BenchmarkTypes, false, oneOf(choices["BenchmarkTypes"])},
		{"Formats", r.Formats, true, oneOf(choices["Formats"])},
		{"Engines", r.Engines, false, oneOf(choices["Engines"])},
		{"Loaders", r.Loaders, true, r.checkLoader},
		{"Devices", r.Devices, false, checkDevice},
	} {
		if len(axis.values) == 0 && !axis.may {
			return fieldErrorf(axis.field, "is empty")
		}
		for i, v := range axis.values {
			if slices.Contains(axis.values[:i], v) {
				return fieldErrorf(axis.field, "%q is given twice", v)
			}
			if axis.check == nil {
				continue
			}
			if err := axis.check(v); err != nil {
				return fieldErrorf(axis.field, "%v", err)
			}
		}
	}
	for _, choice := range []struct {
		field, value string
		may          bool // be empty
	}{
		{"GDS", r.GDS, true}, {"DeviceMap", r.DeviceMap, true}, {"PageCache", r.PageCache, true},
		{"Verify", r.Verify, false}, {"ReplicaMode", r.ReplicaMode, false}, {"Inference", r.Inference, false},
	} {
		if choice.value == "" && choice.may {
			continue
		}
		if err := oneOf(choices[choice.field])(choice.value); err != nil {
			return fieldErrorf(choice.field, "%v", err)
		}
	}
	for _, number := range []struct {
		field              string
		value, least, most int
	}{
		{"Replicas", r.Replicas, 1, maxReplicas}, {"Sessions", r.Sessions, 1, maxSessions}, {"Threads", r.Threads, 1, maxThreads},
		{"IODepth", r.IODepth, 0, maxThreads}, {"NewTokens", r.NewTokens, 1, maxNewTokens},
	} {
		if number.value < number.least || number.value > number.most {
			return fieldErrorf(number.field, "%d is not between %d and %d", number.value, number.least, number.most)
		}
	}
	onHost := slices.Contains(r.Devices, device.Host)
	switch {
	case r.GDS != "" && r.GDS != loader.GDSOff && (onHost || r.DeviceMap != ""):
		return fieldErrorf("GDS", "%s reads into one GPU: use a device such as cuda:0", r.GDS)
	case r.DeviceMap == DeviceMapAuto && onHost:
		return fieldErrorf("DeviceMap", "auto spreads a model over GPUs: use devices such as cuda:0,cuda:1")
	case r.ChunkBytes < directio.Align || r.ChunkBytes%directio.Align != 0 || r.ChunkBytes > maxChunkBytes:
		return fieldErrorf("ChunkBytes", "%s is not a multiple of 4KB of at most %s", size.Exact(r.ChunkBytes), size.Exact(maxChunkBytes))
	case r.IOBytes < 0 || r.IOBytes%directio.Align != 0 || r.IOBytes > directio.MaxRequest:
		return fieldErrorf("IOBytes", "%s is not a multiple of 4KB of at most %s", size.Exact(r.IOBytes), size.Exact(directio.MaxRequest))
	case r.Prompt == "" || len(r.Prompt) > maxPrompt || !utf8.ValidString(r.Prompt):
		return fieldErrorf("Prompt", "is not UTF-8 text of 1 to %d bytes", maxPrompt)
	case !(r.Temperature >= 0 && r.Temperature <= 100):
		return fieldErrorf("Temperature", "%g is not between 0 and 100", r.Temperature)
	case !(r.TopP > 0 && r.TopP <= 1):
		return fieldErrorf("TopP", "%g is not above 0 and at most 1", r.TopP)
	case r.StoragePath == "":
		return fieldErrorf("StoragePath", "is empty")
	case r.StoreAddress != "" && r.StoreProgram != "":
		return fieldErrorf("StoreProgram", "starts a store, but the address of a running one is given too: give one of them")
	}
	if r.StoreAddress != "" {
		if _, _, err := net.SplitHostPort(r.StoreAddress); err != nil {
			return fieldErrorf("StoreAddress", "%q is not HOST:PORT", r.StoreAddress)
		}
	}
	_, err := r.techniques()
	return err
}

// oneOf returns a check that a value is one of the choices.
func oneOf(choices []string) func(string) error {
	return func(value string) error {
		if slices.Contains(choices, value) {
			return nil
		}
		last := len(choices) - 1
		list := choices[last]
		if last > 0 {
			list = strings.Join(choices[:last], ", ") + " or " + list
		}
		return fmt.Errorf("unknown value %q: use %s", value, list)
	}
}

func checkDevice(name string) error {
	n, err := device.Parse(name)
	if err != nil {
		return err
	}
	if len(n.GPUs) > 1 {
		return errors.New("to spread a model over GPUs, separate them with commas and use device map auto")
	}
	return nil
}

// devices returns the device of each run: those of the request, or all of them as
// one.
func (r Request) devices() []string {
	if r.DeviceMap == DeviceMapAuto {
		return []string{strings.Join(r.Devices, "+")}
	}
	return r.Devices
}

// pageCache returns what happens before a load of a benchmark type.
func (r Request) pageCache(benchmarkType string) string {
	switch {
	case r.PageCache != "":
		return r.PageCache
	case benchmarkType == Random:
		return PageCacheDrop
	default:
		return PageCacheKeep
	}
}

// replicasFor returns how many replicas a benchmark type loads.
func (r Request) replicasFor(benchmarkType string) int {
	if benchmarkType == Random {
		return r.Replicas
	}
	return 1
}

// replicasOnDisk returns the most that any of the benchmark types needs.
func (r Request) replicasOnDisk() int {
	n := 1
	for _, t := range r.BenchmarkTypes {
		n = max(n, r.replicasFor(t))
	}
	return n
}
