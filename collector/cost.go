package collector

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/hub"
	"github.com/sllmq/sllmq/internal/pyjson"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Cost is what a benchmark takes.
type Cost struct {
	FetchBytes  int64 // from the Hub
	WriteBytes  int64 // of replicas
	DiskBytes   int64 // of all replicas and of the models to fetch
	MemoryBytes int64 // of the host, for the largest worker: its pool, and the model if the device is the host
	DeviceBytes int64 // of the device, for the largest worker
	Runs        []RunCost
}

// RunCost is one run's part.
type RunCost struct {
	Arm          record.Arm
	Bytes        int64 // of one load
	Loads, Texts int
}

// Cost returns what the plan takes.
func (p Plan) Cost() Cost { return costOf(p.Checkpoints, p.Groups) }

func costOf(checkpoints []checkpoint.Plan, groups [][]PlannedRun) Cost {
	var c Cost
	for _, made := range checkpoints {
		c.WriteBytes += made.MissingBytes
		c.DiskBytes += made.ReplicaBytes * int64(len(made.Dirs))
	}
	for _, group := range groups {
		for _, run := range group {
			c.DeviceBytes = max(c.DeviceBytes, run.Worker.DeviceBytes)
			memory := run.Worker.PoolBytes
			if run.Arm.Device == device.Host {
				memory += run.Worker.DeviceBytes
			}
			c.MemoryBytes = max(c.MemoryBytes, memory)
			cost := RunCost{Arm: run.Arm, Bytes: run.Checkpoint.ReplicaBytes, Loads: run.Loads()}
			for _, steps := range run.Sessions {
				for _, s := range steps {
					if s.Generate {
						cost.Texts++
					}
				}
			}
			c.Runs = append(c.Runs, cost)
		}
	}
	return c
}

// Estimate returns what a benchmark of an absent model would take, from the sizes
// of its files and its config.json. The model is planned as if it were here, on a
// machine with enough memory for it.
func (r *Resolved) Estimate(m AbsentModel) (Cost, error) {
	weights, err := weightBytes(m.Model, m.Config, r.Request.DType)
	if err != nil {
		return Cost{}, fmt.Errorf("estimate %s: %w", m.Name, err)
	}
	replicas := r.Request.replicasOnDisk()
	var checkpoints []checkpoint.Plan
	for _, f := range formatsOf(r.techniques) {
		checkpoints = append(checkpoints, checkpoint.Plan{
			Model: checkpoint.Model{Name: m.Name, Source: checkpoint.SourceHub}, Format: f, DType: r.Request.DType, Dirs: make([]string, replicas),
			Files: 1, TensorBytes: weights, ReplicaBytes: weights, MissingBytes: weights * int64(replicas),
		})
	}
	roomy := *r
	roomy.memory = memory{available: math.MaxInt64, lockable: -1}
	roomy.Request.PoolBytes = max(r.Request.PoolBytes, poolBytes(checkpoints[0], r.Request.ChunkBytes))
	groups, _, err := roomy.groups(checkpoints)
	if err != nil {
		return Cost{}, err
	}
	cost := costOf(checkpoints, groups)
	cost.FetchBytes = m.MissingBytes
	cost.DiskBytes += m.Model.Bytes()
	return cost, nil
}

// weightBytes returns the size of the model's checkpoint in a type, by the sizes of
// its files and the type that config.json names.
func weightBytes(m hub.Model, configJSON []byte, dtype string) (int64, error) {
	var bytes int64
	for _, f := range m.Files {
		if strings.HasSuffix(f.Name, ".safetensors") || strings.HasSuffix(f.Name, ".bin") || strings.HasSuffix(f.Name, ".pt") {
			bytes += f.Size
		}
	}
	if dtype == checkpoint.AutoDType {
		return bytes, nil
	}
	to, err := checkpoint.ParseDType(dtype)
	if err != nil {
		return 0, err
	}
	var says struct {
		DType    string `json:"dtype"`
		OldDType string `json:"torch_dtype"`
	}
	if configJSON != nil {
		if err := pyjson.Unmarshal(configJSON, &says); err != nil {
			return 0, fmt.Errorf("read config.json: %w", err)
		}
	}
	name := says.DType
	if name == "" {
		name = says.OldDType
	}
	from := checkpoint.Float32 // torch's default
	if known, err := checkpoint.ParseDType(strings.TrimPrefix(name, "torch.")); err == nil {
		from = known
	}
	return bytes / from.Size() * to.Size(), nil
}

// Rates are how fast a machine was seen to be, in bytes per second. Unknown rates
// are assumed.
type Rates struct {
	Load   map[LoadKind]float64
	Decode float64 // weights read while a text is generated; 0: unknown
}

// LoadKind is what the rate of loads depends on, on one machine.
type LoadKind struct{ Format, Loader, BenchmarkType string }

// Rates that are assumed where nothing was measured, in bytes per second: those of
// a slow network, disk and memory.
const (
	assumedFetch  = 50e6
	assumedWrite  = 500e6
	assumedLoad   = 1e9
	assumedDecode = 10e9
)

// Times are the durations of the parts of a benchmark.
type Times struct {
	Fetch, Write, Load, Generate time.Duration
	Assumed                      bool // some rate of Load or Generate was assumed
}

// Total is their sum.
func (t Times) Total() time.Duration { return t.Fetch + t.Write + t.Load + t.Generate }

// Times returns how long it takes at rates, with texts of newTokens.
func (c Cost) Times(r Rates, newTokens int) Times {
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	t := Times{Fetch: seconds(float64(c.FetchBytes) / assumedFetch), Write: seconds(float64(c.WriteBytes) / assumedWrite)}
	decode := r.Decode
	if decode <= 0 {
		decode = assumedDecode
	}
	for _, run := range c.Runs {
		rate, ok := r.Load[LoadKind{run.Arm.Format, run.Arm.Loader, run.Arm.BenchmarkType}]
		if !ok || rate <= 0 {
			rate, t.Assumed = assumedLoad, true
		}
		t.Load += seconds(float64(run.Loads) * float64(run.Bytes) / rate)
		t.Generate += seconds(float64(run.Texts) * float64(newTokens) * float64(run.Bytes) / decode)
		t.Assumed = t.Assumed || run.Texts > 0 && r.Decode <= 0
	}
	return t
}
