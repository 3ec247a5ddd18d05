// Package worker is a process that loads, and the parent's end of the pipes
// to it.
//
// A worker exists so that the memory of one format, page-locked and on the
// device, is gone when it ends, and so that its death is a row and not the
// end of a benchmark. Parent and worker speak newline-delimited JSON: the
// parent writes requests to the worker's standard input, the worker answers
// each with one line on its standard output, in order. The first request is
// Open. A worker ends when its standard input does. Whatever it has to say to
// people goes to its standard error.
package worker

import (
	"time"

	"github.com/sllmq/sllmq/collector/roofline"
	"github.com/sllmq/sllmq/collector/stage"
)

// Request is one line from the parent: exactly one of its fields.
type Request struct {
	Open     *Open     `json:"open,omitempty"`
	Load     *Load     `json:"load,omitempty"`
	Verify   *Verify   `json:"verify,omitempty"`
	Generate *Generate `json:"generate,omitempty"`
	// Roofline is a request of its own, to a process that was not opened.
	Roofline *roofline.Plan `json:"roofline,omitempty"`
}

// Reply is one line from the worker: exactly one of its fields. Error answers
// an Open that failed; a load that failed is an Outcome with an error.
type Reply struct {
	Ready     *Ready     `json:"ready,omitempty"`
	Outcome   *Outcome   `json:"outcome,omitempty"`
	Verdict   *Verdict   `json:"verdict,omitempty"`
	Generated *Generated `json:"generated,omitempty"`
	Measured  *Measured  `json:"measured,omitempty"`
	Error     string     `json:"error,omitempty"`
}

// Measured answers a Roofline.
type Measured struct {
	At           time.Time              `json:"at"` // when it began
	Measurements []roofline.Measurement `json:"measurements"`
}

// Open says what the worker is to be.
type Open struct {
	Format      string `json:"format"`
	Loader      string `json:"loader"`
	Device      string `json:"device"`
	Threads     int    `json:"threads"`
	ChunkBytes  int64  `json:"chunk_bytes"`
	PoolBytes   int64  `json:"pool_bytes"`
	Depth       int    `json:"depth"`        // reads under way; 0: the loader's choice
	IOBytes     int64  `json:"io_bytes"`     // of a read; 0: the loader's choice
	DeviceBytes int64  `json:"device_bytes"` // the most that one load takes
	Stream      bool   `json:"stream"`       // a model larger than the pool passes through it
	Buffered    bool   `json:"buffered"`     // raw: read through the page cache
	GDS         string `json:"gds"`          // direct: see loader.Options
	Node        *int   `json:"node"`         // NUMA node to run on and take memory from; nil: any

	Store *Store `json:"store,omitempty"` // of loaders that are clients of one

	// Of the Python worker, which imports a model's code before it loads one.
	Dir         string `json:"dir,omitempty"`          // a replica
	DType       string `json:"dtype,omitempty"`        // to load in: that of the replicas, or auto
	StoragePath string `json:"storage_path,omitempty"` // folder of all replicas
}

// Store is the sllm-store of a loader that is a client of one.
type Store struct {
	Address       string   `json:"address"`         // of one that runs; empty: one is started
	Program       []string `json:"program"`         // with its first arguments
	StoragePath   string   `json:"storage_path"`    // models lie below it
	Log           string   `json:"log"`             // file for the output of one that is started
	StartTimeoutS float64  `json:"start_timeout_s"` // for it to be ready
	LoadTimeoutS  float64  `json:"load_timeout_s"`  // for a load
}

// ServedBy is the store that a loader is a client of.
type ServedBy struct {
	Address    string   `json:"address"`
	Program    string   `json:"program,omitempty"`      // that was started
	PID        *int64   `json:"pid,omitempty"`          // of that
	StartTimeS *float64 `json:"start_time_s,omitempty"` // until that was ready
	Version    string   `json:"version,omitempty"`      // if it says
}

// Ready says what it cost to be ready.
type Ready struct {
	PID        int     `json:"pid"`
	SetupS     float64 `json:"setup_s"`
	PoolBytes  *int64  `json:"pool_bytes,omitempty"`
	PoolLocked *bool   `json:"pool_locked,omitempty"`
	LockReason string  `json:"lock_reason,omitempty"`

	ServedBy *ServedBy `json:"served_by,omitempty"`

	Node          *int   `json:"node,omitempty"`            // NUMA node in force; nil: any
	HugePageBytes *int64 `json:"huge_page_bytes,omitempty"` // of the process's memory
}

// Load asks for one load of the replica in Dir.
type Load struct {
	Dir    string   `json:"dir"`
	Files  []string `json:"files"`  // its tensor files, whole paths: what the evidence is taken of
	Drop   bool     `json:"drop"`   // drop its pages first
	Verify bool     `json:"verify"` // hold the tensors against their checksums afterwards
	Trace  bool     `json:"trace"`  // tell every request
	Keep   bool     `json:"keep"`   // leave the tensors on the device for a Generate
}

// Verify asks a worker that takes no evidence to hold the tensors of the Load
// before it, which was told to keep them, against the replica's files: apart,
// since that reads the files again.
type Verify struct {
	Dir  string `json:"dir"`
	Keep bool   `json:"keep"` // leave the tensors on the device
}

// Verdict answers a Verify.
type Verdict struct {
	Verified *bool  `json:"verified,omitempty"` // nil: the model goes by other names than its files
	Error    string `json:"error,omitempty"`
}

// Generate asks for a short text from the tensors of the Load before it, which
// was told to keep them. They are freed afterwards.
type Generate struct {
	Dir         string  `json:"dir"` // the replica's, for its config and tokenizer
	Prompt      string  `json:"prompt"`
	NewTokens   int     `json:"new_tokens"`  // at most
	Temperature float64 `json:"temperature"` // 0: greedy
	TopP        float64 `json:"top_p"`
	Seed        int64   `json:"seed"`
	Threads     int     `json:"threads"` // 0: one a CPU
}

// Generated is a generation, measured. Times begin when the prompt's token ids
// are there and the weights are found; nothing but the network is in them.
type Generated struct {
	Error       string `json:"error,omitempty"`
	Unsupported string `json:"unsupported,omitempty"` // why there is none, where the load is not to blame

	Device               string    `json:"device,omitempty"` // that computed: host or cuda:N
	Prompt               string    `json:"prompt"`
	Text                 string    `json:"text"` // of prompt and output
	InputTokens          int       `json:"input_tokens"`
	OutputTokens         int       `json:"output_tokens"`
	EndToEndTimeS        float64   `json:"end_to_end_time_s"`
	TimeToFirstTokenS    float64   `json:"time_to_first_token_s"`
	TokenTimesS          []float64 `json:"token_times_s"`
	ThroughputTokensPerS float64   `json:"throughput_tokens_per_s"`
	DecodeTokensPerS     *float64  `json:"decode_tokens_per_s,omitempty"` // nil: one token
	TokenIDsSHA256       string    `json:"token_ids_sha256"`              // of the output's ids, as little-endian int32
}

// Outcome is one load, measured. Pointers are nil where a fact could not be
// had, or where the load failed before it was there.
type Outcome struct {
	Error     string    `json:"error,omitempty"`
	Over      bool      `json:"over,omitempty"` // after this error the worker can load no more
	StartedAt time.Time `json:"started_at"`

	LoadingTimeS     *float64      `json:"loading_time_s,omitempty"`
	Stages           []stage.Stage `json:"stages,omitempty"`
	Chunks           []stage.Chunk `json:"chunks,omitempty"` // if traced
	Bytes            *int64        `json:"bytes,omitempty"`
	Tensors          *int64        `json:"tensors,omitempty"`
	Direct           *bool         `json:"direct,omitempty"`
	IOMethod         string        `json:"io_method,omitempty"`     // see loader.Reading
	IODepth          *int64        `json:"io_depth,omitempty"`      // in force
	IOSizeBytes      *int64        `json:"io_size_bytes,omitempty"` // in force
	PoolHit          *bool         `json:"pool_hit,omitempty"`
	PoolStreamed     *bool         `json:"pool_streamed,omitempty"`
	PoolEvictedBytes *int64        `json:"pool_evicted_bytes,omitempty"`
	Verified         *bool         `json:"verified,omitempty"`

	MemoryTouchedBytes  *int64 `json:"-"` // by whoever asked for the load, before it
	FileBytes           *int64 `json:"file_bytes,omitempty"`
	ResidentBeforeBytes *int64 `json:"resident_before_bytes,omitempty"`
	ResidentAfterBytes  *int64 `json:"resident_after_bytes,omitempty"`
	StorageReadBytes    *int64 `json:"storage_read_bytes,omitempty"`
	SourceTier          string `json:"source_tier,omitempty"`

	CPUUserS            *float64 `json:"cpu_user_s,omitempty"`
	CPUSystemS          *float64 `json:"cpu_system_s,omitempty"`
	MajorFaults         *int64   `json:"major_faults,omitempty"`
	MinorFaults         *int64   `json:"minor_faults,omitempty"`
	VoluntarySwitches   *int64   `json:"voluntary_switches,omitempty"`
	InvoluntarySwitches *int64   `json:"involuntary_switches,omitempty"`
	PeakRSSBytes        *int64   `json:"peak_rss_bytes,omitempty"`

	// What the worker's threads waited for, summed over them: see machine.Delays.
	CPUDelayS    *float64 `json:"cpu_delay_s,omitempty"`
	BlockDelayS  *float64 `json:"block_delay_s,omitempty"`
	MemoryDelayS *float64 `json:"memory_delay_s,omitempty"`

	// What the whole machine did meanwhile: see machine.System.
	StorageDeviceReadBytes *int64   `json:"storage_device_read_bytes,omitempty"`
	StorageDeviceReads     *int64   `json:"storage_device_reads,omitempty"`
	StorageDeviceBusyS     *float64 `json:"storage_device_busy_s,omitempty"`
	CPUPressureS           *float64 `json:"cpu_pressure_s,omitempty"`
	MemoryPressureS        *float64 `json:"memory_pressure_s,omitempty"`
	IOPressureS            *float64 `json:"io_pressure_s,omitempty"`
	MachineCPUS            *float64 `json:"machine_cpu_s,omitempty"`
	StealS                 *float64 `json:"steal_s,omitempty"`
	ThrottledS             *float64 `json:"throttled_s,omitempty"`
	KernelThreadsCPUS      *float64 `json:"kernel_threads_cpu_s,omitempty"`

	DeviceMemoryBeforeBytes *int64 `json:"device_memory_before_bytes,omitempty"`
	DeviceMemoryAfterBytes  *int64 `json:"device_memory_after_bytes,omitempty"`
	DeviceMemoryPeakBytes   *int64 `json:"device_memory_peak_bytes,omitempty"`
}

// maxLine bounds a line of the protocol, in bytes.
const maxLine = 256 << 20
