// Package collector prepares checkpoints, runs loads in worker processes, and
// hands what was measured to whoever keeps it.
//
// A benchmark goes plan, prepare, run, record: Config becomes one immutable
// Plan, in which everything that can fail has been checked, and Run carries
// the plan out.
package collector

import (
	"fmt"
	"net"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hub"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/internal/size"
)

// Benchmark types.
const (
	Random = "random" // N replicas, each loaded once, in a seeded permutation
	Cached = "cached" // one replica, one warm-up load, then N counted loads
)

// What is done with a replica's pages before a load.
const (
	PageCacheDrop = "drop"
	PageCacheKeep = "keep"
)

// hostDevice is where weights go unless a GPU is named.
const hostDevice = "host"

// DeviceMapAuto spreads a model over several devices.
const DeviceMapAuto = "auto"

// When the tensors of a load are held against their checksums.
const (
	VerifyFirst = "first" // at the first load of each replica in a run
	VerifyAll   = "all"
	VerifyNone  = "none"
)

// After which loads a text is generated.
const (
	InferenceAll   = "all"
	InferenceFirst = "first" // of each worker process
	InferenceNone  = "none"
)

// Config is what a person asks for. Each list is an axis of the matrix that is
// run.
type Config struct {
	Models         []string
	BenchmarkTypes []string
	Formats        []string // empty: those that the loaders take
	Loaders        []string // empty: each format's default
	Devices        []string
	GDS            string // how direct fills a GPU: see loader.Options
	DeviceMap      string // auto: one model over all Devices; empty: an arm for each
	Engines        []string
	Python         string // interpreter of the transformers engine
	Replicas       int
	Sessions       int // worker processes for each run
	StoragePath    string
	PoolBytes      int64
	PoolAsked      bool // PoolBytes was asked for, and is not to be lowered
	ChunkBytes     int64
	Threads        int
	IODepth        int    // reads under way, of the loaders that choose it; 0: theirs
	IOBytes        int64  // of a read, of those loaders; 0: theirs
	PageCache      string // empty: drop for random, keep for cached
	DType          string
	Verify         string
	ReplicaMode    string
	Seed           int64
	Roofline       bool // measured before each session
	IOTrace        bool // a row for each request of a load
	Stream         bool // models larger than the pool pass through it
	AA             bool // each arm twice, under two names
	Inference      string
	Prompt         string
	NewTokens      int     // at most
	Temperature    float64 // 0: greedy
	TopP           float64
	LoadTimeout    time.Duration // 0: by the checkpoint's size
	StoreAddress   string        // of the sllm-store that loader store is a client of; empty: one is started
	StoreProgram   string        // how; sllmq: its own; empty: sllm-store for GPUs where it is installed, else its own
	StoreLog       string        // file for the output of one that is started
	Tags           map[string]string

	Packages map[string]string // of the interpreter, with versions: see AskPython

	store *client.Server // that runs at StoreAddress, once it was asked

	Fetched map[string]hub.Snapshot // models of the Hub, by their names in Models: see Fetch
}

// DefaultConfig has the reference benchmark's defaults, and ours where it has
// none.
func DefaultConfig() Config {
	return Config{
		Models:         []string{"facebook/opt-6.7b"},
		BenchmarkTypes: []string{Random},
		Devices:        []string{hostDevice},
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

// Choices lists, by flag, what a flag takes where that is a list of names.
func Choices() map[string][]string {
	var loaders, formats []string
	for _, e := range engines() {
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
		"model-name":     checkpoint.SyntheticNames(),
		"benchmark-type": {Random, Cached},
		"format":         formats,
		"loader":         loaders,
		"device":         {hostDevice, "cuda:0"},
		"device-map":     {DeviceMapAuto},
		"gds":            {loader.GDSOff, loader.GDSRequire, loader.GDSCompat},
		"engine":         {EngineNative, EngineTransformers},
		"dtype":          {"float16", "bfloat16", "float32", checkpoint.AutoDType},
		"page-cache":     {PageCacheDrop, PageCacheKeep},
		"verify":         {VerifyFirst, VerifyAll, VerifyNone},
		"replica-mode":   {string(checkpoint.ReplicaAuto), string(checkpoint.ReplicaCopy), string(checkpoint.ReplicaReflink)},
		"inference":      {InferenceAll, InferenceFirst, InferenceNone},
	}
}

// UsageError is a configuration that can't be meant.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

func usagef(format string, args ...any) error {
	return &UsageError{fmt.Errorf(format, args...)}
}

// maxReplicas and maxSessions are far above what anyone measures; they keep a
// typing error from becoming a plan of terabytes.
const (
	maxReplicas = 100_000
	maxSessions = 10_000
	maxThreads  = 1024

	maxPrompt    = 64 << 10
	maxNewTokens = 4096
)

// Validate checks what can be checked without looking at the machine.
func (c Config) Validate() error {
	for _, axis := range []struct {
		flag   string
		values []string
	}{{"--model-name", c.Models}, {"--benchmark-type", c.BenchmarkTypes}, {"--device", c.Devices}, {"--engine", c.Engines}} {
		if len(axis.values) == 0 {
			return usagef("%s is empty", axis.flag)
		}
	}
	for _, axis := range []struct {
		flag   string
		values []string
	}{{"--model-name", c.Models}, {"--benchmark-type", c.BenchmarkTypes}, {"--device", c.Devices}, {"--engine", c.Engines}, {"--format", c.Formats}, {"--loader", c.Loaders}} {
		for i, v := range axis.values {
			if slices.Contains(axis.values[:i], v) {
				return usagef("%s names %q twice", axis.flag, v)
			}
		}
	}
	for _, t := range c.BenchmarkTypes {
		if t != Random && t != Cached {
			return usagef("no benchmark type %q: use random or cached", t)
		}
	}
	for _, f := range c.Formats {
		if _, err := checkpoint.ParseFormat(f); err != nil {
			return &UsageError{err}
		}
	}
	for _, e := range c.Engines {
		if _, err := findEngine(e); err != nil {
			return &UsageError{err}
		}
	}
	for _, l := range c.Loaders {
		if err := c.knowsLoader(l); err != nil {
			return &UsageError{err}
		}
	}
	for _, d := range c.Devices {
		if n, err := device.Parse(d); err != nil {
			return &UsageError{err}
		} else if len(n.GPUs) > 1 {
			return usagef("no device %q: name the GPUs apart, with commas, and use --device-map auto", d)
		}
	}
	if !slices.Contains([]string{"", loader.GDSOff, loader.GDSRequire, loader.GDSCompat}, c.GDS) {
		return usagef("no --gds %q: use off, require or compat", c.GDS)
	}
	if c.GDS != "" && c.GDS != loader.GDSOff && (slices.Contains(c.Devices, hostDevice) || c.DeviceMap != "") {
		return usagef("--gds %s reads into one GPU: name it with --device cuda:0", c.GDS)
	}
	if c.DeviceMap != "" && c.DeviceMap != DeviceMapAuto {
		return usagef("no --device-map %q: use auto, or leave it out", c.DeviceMap)
	}
	if c.DeviceMap == DeviceMapAuto && slices.Contains(c.Devices, hostDevice) {
		return usagef("--device-map auto spreads a model over GPUs: name them with --device cuda:0,cuda:1")
	}
	for _, number := range []struct {
		flag       string
		value, top int
	}{{"--num-replicas", c.Replicas, maxReplicas}, {"--sessions", c.Sessions, maxSessions}, {"--num-thread", c.Threads, maxThreads}} {
		if number.value < 1 || number.value > number.top {
			return usagef("%s %d is not between 1 and %d", number.flag, number.value, number.top)
		}
	}
	if c.ChunkBytes < directio.Align || c.ChunkBytes%directio.Align != 0 || c.ChunkBytes > 1<<30 {
		return usagef("--chunk-size %s is not a multiple of 4KB of at most 1GB", size.Exact(c.ChunkBytes))
	}
	if c.IODepth < 0 || c.IODepth > maxThreads {
		return usagef("--io-depth %d is not between 1 and %d", c.IODepth, maxThreads)
	}
	if c.IOBytes < 0 || c.IOBytes%directio.Align != 0 || c.IOBytes > directio.MaxRequest {
		return usagef("--io-size %s is not a multiple of 4KB of at most %s", size.Exact(c.IOBytes), size.Exact(directio.MaxRequest))
	}
	if !slices.Contains([]string{"", PageCacheDrop, PageCacheKeep}, c.PageCache) {
		return usagef("no --page-cache %q: use drop or keep", c.PageCache)
	}
	if !slices.Contains([]string{VerifyFirst, VerifyAll, VerifyNone}, c.Verify) {
		return usagef("no --verify %q: use first, all or none", c.Verify)
	}
	if _, err := checkpoint.ParseReplicaMode(c.ReplicaMode); err != nil {
		return &UsageError{err}
	}
	if err := c.validateInference(); err != nil {
		return err
	}
	if c.StoragePath == "" {
		return usagef("--storage-path is empty")
	}
	if c.StoreAddress != "" {
		if _, _, err := net.SplitHostPort(c.StoreAddress); err != nil {
			return usagef("--store-address %q is no HOST:PORT", c.StoreAddress)
		}
		if c.StoreProgram != "" {
			return usagef("--store-address attaches to a store and --store-program starts one: give one of them")
		}
	}
	return nil
}

func (c Config) validateInference() error {
	if !slices.Contains([]string{InferenceAll, InferenceFirst, InferenceNone}, c.Inference) {
		return usagef("no --inference %q: use all, first or none", c.Inference)
	}
	switch {
	case c.Prompt == "" || len(c.Prompt) > maxPrompt || !utf8.ValidString(c.Prompt):
		return usagef("--prompt is not a text of 1 to %d bytes", maxPrompt)
	case c.NewTokens < 1 || c.NewTokens > maxNewTokens:
		return usagef("--max-new-tokens %d is not between 1 and %d", c.NewTokens, maxNewTokens)
	case !(c.Temperature >= 0 && c.Temperature <= 100):
		return usagef("--temperature %g is not between 0 and 100", c.Temperature)
	case !(c.TopP > 0 && c.TopP <= 1):
		return usagef("--top-p %g is not above 0 and at most 1", c.TopP)
	}
	return nil
}

// pageCache is what is done before a load of a benchmark type.
func (c Config) pageCache(benchmarkType string) string {
	switch {
	case c.PageCache != "":
		return c.PageCache
	case benchmarkType == Random:
		return PageCacheDrop
	default:
		return PageCacheKeep
	}
}
