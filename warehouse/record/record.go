// Package record defines the rows of the warehouse.
//
// One struct is one table, and the `db` tag of a field is its column. The unit of a
// quantity is part of the column's name. A pointer is a column that may be NULL,
// because the fact could not be measured. The package imports nothing of the project,
// so that measuring needs no database and storing needs no loader.
package record

import "time"

// Status of a run.
const (
	StatusRunning     = "running"     // started, and no end recorded yet
	StatusCompleted   = "completed"   // every load was attempted and none failed
	StatusFailed      = "failed"      // at least one load failed, or none could start
	StatusInterrupted = "interrupted" // ended by a signal
	StatusLost        = "lost"        // its collector died before it could end the run
)

// Source tiers: where the bytes of a load came from, judged from evidence.
const (
	TierStorage   = "storage"
	TierPageCache = "page_cache"
	TierPool      = "pool"
	TierMixed     = "mixed"
)

// Machine is the hardware and system that runs were measured on. ID is a digest
// of all other fields, so another kernel, driver or storage is another row.
type Machine struct {
	ID                    string    `db:"machine_id"`
	Machine               string    `db:"machine"` // host name, or the name given with --machine
	FirstSeenAt           time.Time `db:"first_seen_at"`
	OS                    *string   `db:"os"`
	Kernel                *string   `db:"kernel"`
	Arch                  *string   `db:"arch"`
	CPUModel              *string   `db:"cpu_model"`
	CPUs                  *int64    `db:"cpus"` // logical CPUs available to this process
	CPUSockets            *int64    `db:"cpu_sockets"`
	NUMANodes             *int64    `db:"numa_nodes"`
	MemoryBytes           *int64    `db:"memory_bytes"`
	Hypervisor            *string   `db:"hypervisor"`
	GPUModel              *string   `db:"gpu_model"`
	GPUs                  *int64    `db:"gpus"`
	GPUMemoryBytes        *int64    `db:"gpu_memory_bytes"` // of one GPU
	GPUDriver             *string   `db:"gpu_driver"`
	MountPoint            *string   `db:"mount_point"`
	Filesystem            *string   `db:"filesystem"`
	MountOptions          *string   `db:"mount_options"`
	StorageDevice         *string   `db:"storage_device"` // by the kernel's name, such as nvme0n1
	StorageModel          *string   `db:"storage_model"`
	StorageRotational     *bool     `db:"storage_rotational"`
	StorageScheduler      *string   `db:"storage_scheduler"`
	StorageMaxIOBytes     *int64    `db:"storage_max_io_bytes"` // largest request the block layer passes to the device
	StorageBytes          *int64    `db:"storage_bytes"`        // size of the filesystem
	HugePages             *string   `db:"huge_pages"`           // transparent huge pages: always, madvise or never
	CPUGovernor           *string   `db:"cpu_governor"`
	GPUUUIDs              *string   `db:"gpu_uuids"`                // comma-separated, in NVML's order
	FreePageReporting     *bool     `db:"free_page_reporting"`      // the balloon returns free memory to the host; NULL: no balloon seen
	StorageReadAheadBytes *int64    `db:"storage_read_ahead_bytes"` // for files read sequentially
}

// Arm identifies what a result is of: loads of one arm are comparable with each
// other. Arms can be compared with == and are map keys in plans, rows, queries, plots
// and reports.
type Arm struct {
	Machine       string `db:"machine,view"` // name; table runs has machine_id, the views have both
	Model         string `db:"model"`
	BenchmarkType string `db:"benchmark_type"` // random or cached
	Format        string `db:"format"`
	Engine        string `db:"engine"`
	Loader        string `db:"loader"`
	Device        string `db:"device"`
}

// Run is one arm measured once, with its configuration.
type Run struct {
	ID        string `db:"run_id"`     // UUIDv7
	CollectID string `db:"collect_id"` // UUIDv7 shared by the runs of one command
	MachineID string `db:"machine_id"`
	Arm
	StartedAt       time.Time         `db:"started_at"`
	EndedAt         *time.Time        `db:"ended_at"`
	Status          string            `db:"status"`
	ModelSource     string            `db:"model_source"` // synthetic, local, hub or imported
	ModelRevision   *string           `db:"model_revision"`
	DType           *string           `db:"dtype"`
	NumReplicas     int64             `db:"num_replicas"`
	Sessions        int64             `db:"sessions"`
	Seed            *int64            `db:"seed"`
	NumThread       *int64            `db:"num_thread"`
	ChunkSizeBytes  *int64            `db:"chunk_size_bytes"`
	MemPoolBytes    *int64            `db:"mem_pool_size_bytes"`
	PageCache       *string           `db:"page_cache"` // drop or keep
	ReplicaMode     *string           `db:"replica_mode"`
	CheckpointBytes *int64            `db:"checkpoint_bytes"` // size of one replica's files
	CheckpointFiles *int64            `db:"checkpoint_files"`
	Tensors         *int64            `db:"tensors"`
	StoragePath     *string           `db:"storage_path"`
	Version         *string           `db:"sllmq_version"`
	GoVersion       *string           `db:"go_version"`
	CommandLine     *string           `db:"command_line"`
	PID             *int64            `db:"pid"`     // of the collector
	BootID          *string           `db:"boot_id"` // with pid it tells whether the collector still lives
	ImportFile      *string           `db:"import_file"`
	ImportSHA256    *string           `db:"import_sha256"`
	Error           *string           `db:"error"`
	Tags            map[string]string `db:"tags"`
	IODepth         *int64            `db:"io_depth"`      // NULL: the loader's choice
	IOSizeBytes     *int64            `db:"io_size_bytes"` // NULL: the loader's choice
	Packages        map[string]string `db:"packages"`      // versions of the packages of a Python engine; empty: native
}

// RunEnd ends a run. Nothing else changes a row.
type RunEnd struct {
	RunID   string
	EndedAt time.Time
	Status  string
	Error   *string
}

// Session is one worker process, and the cost of getting it ready.
type Session struct {
	RunID                   string    `db:"run_id"`
	Session                 int64     `db:"session"` // from 0 within the run
	StartedAt               time.Time `db:"started_at"`
	PID                     *int64    `db:"pid"`
	StartTimeS              *float64  `db:"start_time_s"` // from process start to its first reply
	SetupTimeS              *float64  `db:"setup_time_s"` // to fill and pin the pool and start the device
	PoolBytes               *int64    `db:"pool_bytes"`
	PoolLocked              *bool     `db:"pool_locked"`
	PoolLockReason          *string   `db:"pool_lock_reason"`           // why the pool is not locked
	DeviceMemoryBeforeBytes *int64    `db:"device_memory_before_bytes"` // in use on the GPUs before the process started
	GPUOtherProcesses       *int64    `db:"gpu_other_processes"`        // computing on the GPUs at that time
	NUMANode                *int64    `db:"numa_node"`                  // it ran on and allocated from; NULL: any
	HugePageBytes           *int64    `db:"huge_page_bytes"`            // of its memory, when it was ready
	Store                   *string   `db:"store"`                      // program of the sllm-store that was started; NULL: none
	StoreAddress            *string   `db:"store_address"`              // of the sllm-store that the loader used
	StorePID                *int64    `db:"store_pid"`                  // of the sllm-store that was started
	StoreVersion            *string   `db:"store_version"`              // NULL: not reported
	StoreStartTimeS         *float64  `db:"store_start_time_s"`         // from its start until it was ready
}

// Load is one replica brought to the device once.
type Load struct {
	RunID                   string    `db:"run_id"`
	Seq                     int64     `db:"seq"` // order within the run, from 0, including warm-ups
	Session                 int64     `db:"session"`
	StartedAt               time.Time `db:"started_at"`
	Replica                 int64     `db:"replica"`
	Warmup                  bool      `db:"warmup"`
	LoadingTimeS            *float64  `db:"loading_time_s"`
	Bytes                   *int64    `db:"bytes"` // of tensors, brought to the device
	Tensors                 *int64    `db:"tensors"`
	SourceTier              *string   `db:"source_tier"`
	FileBytes               *int64    `db:"file_bytes"` // of the replica's tensor files
	ResidentBeforeBytes     *int64    `db:"resident_before_bytes"`
	ResidentAfterBytes      *int64    `db:"resident_after_bytes"`
	StorageReadBytes        *int64    `db:"storage_read_bytes"`
	DirectIO                *bool     `db:"direct_io"`
	PoolHit                 *bool     `db:"pool_hit"`
	CPUUserS                *float64  `db:"cpu_user_s"`
	CPUSystemS              *float64  `db:"cpu_system_s"`
	MajorFaults             *int64    `db:"major_faults"`
	MinorFaults             *int64    `db:"minor_faults"`
	VoluntarySwitches       *int64    `db:"voluntary_switches"`
	InvoluntarySwitches     *int64    `db:"involuntary_switches"`
	PeakRSSBytes            *int64    `db:"peak_rss_bytes"`
	DeviceMemoryBeforeBytes *int64    `db:"device_memory_before_bytes"`
	DeviceMemoryAfterBytes  *int64    `db:"device_memory_after_bytes"`
	Verified                *bool     `db:"verified"` // every tensor matched its checksum; NULL: not checked
	Bound                   *string   `db:"bound"`
	Efficiency              *float64  `db:"efficiency"`
	Error                   *string   `db:"error"`

	PoolEvictedBytes       *int64   `db:"pool_evicted_bytes"`        // of other models, evicted
	PoolStreamed           *bool    `db:"pool_streamed"`             // larger than the pool, and streamed through it
	StorageDeviceReadBytes *int64   `db:"storage_device_read_bytes"` // by the whole machine, as are the next two
	StorageDeviceReads     *int64   `db:"storage_device_reads"`
	StorageDeviceBusyS     *float64 `db:"storage_device_busy_s"` // with a request in flight
	CPUPressureS           *float64 `db:"cpu_pressure_s"`        // some task waited for a CPU
	MemoryPressureS        *float64 `db:"memory_pressure_s"`
	IOPressureS            *float64 `db:"io_pressure_s"`
	MachineCPUS            *float64 `db:"machine_cpu_s"`          // of all processes and kernel threads
	StealS                 *float64 `db:"steal_s"`                // CPU time the hypervisor gave to others
	ThrottledS             *float64 `db:"throttled_s"`            // the control group was throttled
	StorageBoundS          *float64 `db:"storage_bound_s"`        // least time the storage needs for the bytes read from it
	CopyBoundS             *float64 `db:"copy_bound_s"`           // least time to copy the bytes
	CPUBoundS              *float64 `db:"cpu_bound_s"`            // CPU time divided by the loader's threads
	HostToDeviceBoundS     *float64 `db:"host_to_device_bound_s"` // least time to copy the bytes to the GPUs
	PCIeGeneration         *int64   `db:"pcie_generation"`        // the highest seen from the previous load to the end of this one
	PCIeWidth              *int64   `db:"pcie_width"`             // lanes
	GPUTemperatureC        *float64 `db:"gpu_temperature_c"`      // the highest
	GPUPowerW              *float64 `db:"gpu_power_w"`            // the highest
	GPUSMClockHz           *int64   `db:"gpu_sm_clock_hz"`        // the highest
	GPUMemoryClockHz       *int64   `db:"gpu_memory_clock_hz"`    // the highest
	GPUThrottleReasons     *string  `db:"gpu_throttle_reasons"`   // all seen; empty: none
	GPUOtherProcesses      *int64   `db:"gpu_other_processes"`    // other than the worker, at the end
	DeviceMemoryPeakBytes  *int64   `db:"device_memory_peak_bytes"`
	IOMethod               *string  `db:"io_method"`            // pread or mmap; NULL: nothing was read
	IODepth                *int64   `db:"io_depth"`             // requests in flight at once, as observed
	IOSizeBytes            *int64   `db:"io_size_bytes"`        // of the largest request, as observed
	CPUDelayS              *float64 `db:"cpu_delay_s"`          // the worker's threads waited for a CPU, summed over threads
	BlockDelayS            *float64 `db:"block_delay_s"`        // for a block device
	MemoryDelayS           *float64 `db:"memory_delay_s"`       // for pages
	KernelThreadsCPUS      *float64 `db:"kernel_threads_cpu_s"` // of the whole machine
	MemoryTouchedBytes     *int64   `db:"memory_touched_bytes"` // free memory touched before the load; NULL: none
	DirtyBeforeBytes       *int64   `db:"dirty_before_bytes"`   // in the page cache of the whole machine, not yet written to storage when the load began
}

// Stage is one part of a load. Stages of one load may overlap in time.
type Stage struct {
	RunID     string   `db:"run_id"`
	Seq       int64    `db:"seq"`
	Stage     string   `db:"stage"`      // open, index, allocate, read, copy, ...
	StartS    float64  `db:"start_s"`    // since the load began
	DurationS float64  `db:"duration_s"` // wall time from first start to last end
	BusyS     *float64 `db:"busy_s"`     // summed over threads
	Bytes     *int64   `db:"bytes"`
}

// Inference is the short generation after a load.
type Inference struct {
	RunID             string   `db:"run_id"`
	Seq               int64    `db:"seq"`
	EndToEndTimeS     *float64 `db:"end_to_end_time_s"`
	ThroughputTokensS *float64 `db:"throughput_tokens_per_s"` // prompt and output tokens over the end-to-end time
	TimeToFirstTokenS *float64 `db:"time_to_first_token_s"`
	DecodeTokensPerS  *float64 `db:"decode_tokens_per_s"`
	InputTokens       *int64   `db:"input_tokens"`
	OutputTokens      *int64   `db:"output_tokens"`
	Prompt            *string  `db:"prompt"`
	OutputText        *string  `db:"output_text"`
	TokenIDsSHA256    *string  `db:"token_ids_sha256"` // of the output's token IDs as little-endian int32
	Error             *string  `db:"error"`
	Unsupported       *string  `db:"unsupported"`    // why the model cannot generate
	TokenTimesS       *string  `db:"token_times_s"`  // JSON array: seconds since the previous token, for the first since the start
	MaxNewTokens      *int64   `db:"max_new_tokens"` // requested
	Temperature       *float64 `db:"temperature"`    // 0: greedy
	TopP              *float64 `db:"top_p"`
	Seed              *int64   `db:"seed"`    // of sampling; NULL: greedy
	Threads           *int64   `db:"threads"` // NULL: a GPU generated
	Device            *string  `db:"device"`  // that generated: host or cuda:N
}

// Sample is one telemetry value at one time.
type Sample struct {
	RunID     string    `db:"run_id"`
	SampledAt time.Time `db:"sampled_at"`
	Source    string    `db:"source"` // what was observed: cpu, memory, a block device, a GPU
	Metric    string    `db:"metric"` // with its unit in the name
	Value     float64   `db:"value"`
}

// IOTrace is one chunk of one load.
type IOTrace struct {
	RunID       string   `db:"run_id"`
	Seq         int64    `db:"seq"`
	Chunk       int64    `db:"chunk"`
	File        string   `db:"file"`
	OffsetBytes int64    `db:"offset_bytes"`
	Bytes       int64    `db:"bytes"`
	QueuedS     *float64 `db:"queued_s"` // since the load began, as are the other times
	StartS      float64  `db:"start_s"`
	DurationS   float64  `db:"duration_s"`
	CopiedS     *float64 `db:"copied_s"`
	Thread      int64    `db:"thread"`
}

// Roofline is one measurement of the best a machine can do.
type Roofline struct {
	ID                 string    `db:"roofline_id"` // UUIDv7
	MachineID          string    `db:"machine_id"`
	RunID              *string   `db:"run_id"`
	Session            *int64    `db:"session"`
	MeasuredAt         time.Time `db:"measured_at"`
	Kind               string    `db:"kind"` // storage_read, memory_copy, host_to_device
	Method             *string   `db:"method"`
	Threads            *int64    `db:"threads"`
	Depth              *int64    `db:"depth"`
	IOSizeBytes        *int64    `db:"io_size_bytes"`
	Bytes              int64     `db:"bytes"`
	DurationS          float64   `db:"duration_s"`
	BandwidthBytesPerS float64   `db:"bandwidth_bytes_per_s"`
}

// Batch is rows that are appended together, all or none.
type Batch struct {
	Machines   []Machine // a machine that exists already is left as it is
	Runs       []Run
	Sessions   []Session
	Loads      []Load
	Stages     []Stage
	Inferences []Inference
	Samples    []Sample
	IOTraces   []IOTrace
	Rooflines  []Roofline
	RunEnds    []RunEnd
}
