// Package worker runs loads in processes of their own, and holds the parent's
// end of the pipes to them.
//
// A load has its own process so that all its memory, page-locked and on the
// device, is freed when the process ends, and so that a crash becomes a row
// instead of the end of a benchmark. Parent and worker speak newline-delimited
// JSON: the parent writes requests to the worker's standard input, and the worker
// answers each with one line on its standard output, in order. The first request
// is Open. A worker exits when its standard input ends. Messages for people go to
// its standard error.
//
// There are two workers: Serve, which runs this project's loaders, and
// transformers.py, which runs Python packages. Both answer with rows of the
// warehouse, so a new column is filled in where it is measured and passes
// through here unchanged.
package worker

import (
	"time"

	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/roofline"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/warehouse/record"
)

// maxLine bounds a line of the protocol, in bytes.
const maxLine = 256 << 20

// Request is one line from the parent. Exactly one field is set.
type Request struct {
	Open     *Open     `json:"open,omitempty"`
	Load     *Load     `json:"load,omitempty"`
	Verify   *Verify   `json:"verify,omitempty"`
	Generate *Generate `json:"generate,omitempty"`
	// Roofline goes to a process that was not opened.
	Roofline *roofline.Plan `json:"roofline,omitempty"`
}

// Reply is one line from the worker. Exactly one field is set. Error answers an
// Open that failed; a load that failed is an Outcome with an error.
type Reply struct {
	Ready     *record.Session   `json:"ready,omitempty"` // what the process knows of its session
	Outcome   *Outcome          `json:"outcome,omitempty"`
	Verdict   *Verdict          `json:"verdict,omitempty"`
	Generated *record.Inference `json:"generated,omitempty"` // without the settings that were asked for
	Measured  *Measured         `json:"measured,omitempty"`
	Error     string            `json:"error,omitempty"`
}

// Open tells a worker what to be.
type Open struct {
	Format      string `json:"format"`
	Loader      string `json:"loader"`
	Device      string `json:"device"`
	Threads     int    `json:"threads"`
	ChunkBytes  int64  `json:"chunk_bytes"`
	PoolBytes   int64  `json:"pool_bytes"`
	Depth       int    `json:"depth"`        // concurrent reads; 0: the loader's choice
	IOBytes     int64  `json:"io_bytes"`     // of a read; 0: the loader's choice
	DeviceBytes int64  `json:"device_bytes"` // the most that one load takes
	Stream      bool   `json:"stream"`       // pass models larger than the pool through it
	Buffered    bool   `json:"buffered"`     // raw: read through the page cache
	GDS         string `json:"gds"`          // direct: see loader.Options
	Node        *int   `json:"node"`         // NUMA node to run on and allocate from; nil: any

	Store *Store `json:"store,omitempty"` // of loaders that are clients of an sllm-store

	// For the Python worker, which imports a model's code before it loads one.
	Dir         string `json:"dir,omitempty"`          // a replica
	DType       string `json:"dtype,omitempty"`        // to load in: that of the replicas, or auto
	StoragePath string `json:"storage_path,omitempty"` // folder of all replicas
}

// Store is the sllm-store that a worker is a client of. If it has no address the
// parent starts one with Command and fills in Address and PID.
type Store struct {
	loader.StoreOptions
	PID     int            `json:"pid,omitempty"` // of a store started for this worker; 0: it was running
	Command client.Command `json:"-"`
}

// Load asks for one load of the replica in Dir.
type Load struct {
	Dir    string   `json:"dir"`
	Files  []string `json:"files"`  // paths of its tensor files, for the evidence
	Drop   bool     `json:"drop"`   // drop its pages from the page cache first
	Verify bool     `json:"verify"` // compare the tensors with their checksums afterwards
	Trace  bool     `json:"trace"`  // report every request
	Keep   bool     `json:"keep"`   // leave the tensors on the device for a Generate
}

// Outcome is one load, measured: its row and the rows of its parts. The parent
// fills in the columns that only it knows: run, sequence number, session and
// replica. A load that failed has an error and no loading time.
type Outcome struct {
	Load    record.Load      `json:"load"`
	Stages  []record.Stage   `json:"stages,omitempty"`
	IOTrace []record.IOTrace `json:"io_trace,omitempty"` // if it was asked for
	Over    bool             `json:"over,omitempty"`     // after this error the worker cannot load again
}

// Failed is the outcome of a load that ended with an error before anything could
// be measured.
func Failed(err error) *Outcome {
	return &Outcome{Load: record.Load{StartedAt: time.Now().UTC(), Error: new(err.Error())}}
}

// Verify asks the Python worker to compare the tensors of the preceding Load,
// which kept them, with the replica's files. It is a separate request because it
// reads the files again.
type Verify struct {
	Dir  string `json:"dir"`
	Keep bool   `json:"keep"` // leave the tensors on the device
}

// Verdict answers a Verify.
type Verdict struct {
	Verified *bool  `json:"verified,omitempty"` // nil: the model and its files use different names
	Error    string `json:"error,omitempty"`
}

// Generate asks for a short text from the tensors of the preceding Load, which
// kept them. They are freed afterwards.
type Generate struct {
	Dir         string  `json:"dir"` // the replica's, for its config and tokenizer
	Prompt      string  `json:"prompt"`
	NewTokens   int     `json:"new_tokens"`  // at most
	Temperature float64 `json:"temperature"` // 0: greedy
	TopP        float64 `json:"top_p"`
	Seed        int64   `json:"seed"`
	Threads     int     `json:"threads"` // 0: one per CPU
}

// Measured answers a Roofline.
type Measured struct {
	At           time.Time              `json:"at"` // when it began
	Measurements []roofline.Measurement `json:"measurements"`
}
