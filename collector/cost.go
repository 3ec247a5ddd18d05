package collector

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/hub"
)

// Cost is what a benchmark takes.
type Cost struct {
	FetchBytes  int64 // from the Hub
	WriteBytes  int64 // of replicas
	DiskBytes   int64 // of all replicas and of what is fetched
	MemoryBytes int64 // of the host, for the largest worker: its pool, and the model if the device is the host
	DeviceBytes int64 // of the device, for the largest worker
	Arms        []ArmCost
}

// ArmCost is one arm's part.
type ArmCost struct {
	Format, Loader, BenchmarkType string
	Bytes                         int64 // of one load
	Loads, Texts                  int
}

// Cost tells what the plan takes.
func (p Plan) Cost() Cost {
	var c Cost
	for _, made := range p.Checkpoints {
		c.WriteBytes += made.MissingBytes
		c.DiskBytes += made.ReplicaBytes * int64(len(made.Dirs))
	}
	for _, group := range p.Groups {
		for _, arm := range group {
			c.DeviceBytes = max(c.DeviceBytes, arm.Worker.DeviceBytes)
			memory := arm.Worker.PoolBytes
			if arm.Device == hostDevice {
				memory += arm.Worker.DeviceBytes
			}
			c.MemoryBytes = max(c.MemoryBytes, memory)
			cost := ArmCost{Format: arm.Worker.Format, Loader: arm.Loader, BenchmarkType: arm.BenchmarkType, Bytes: arm.Checkpoint.ReplicaBytes}
			for _, steps := range arm.Sessions {
				cost.Loads += len(steps)
				for _, s := range steps {
					if s.Generate {
						cost.Texts++
					}
				}
			}
			c.Arms = append(c.Arms, cost)
		}
	}
	return c
}

// EstimateCost tells what a benchmark of a model takes that was not fetched
// yet, from the sizes of its files and its config.json. A checkpoint of another
// type than the config names is as much smaller or larger as the types are.
func (c Config) EstimateCost(m hub.Model, fetchBytes int64, configJSON []byte) (Cost, error) {
	weights, err := weightBytes(m, configJSON, c.DType)
	if err != nil {
		return Cost{}, fmt.Errorf("plan %s: %w", m.Repo, err)
	}
	pairs, err := c.techniques()
	if err != nil {
		return Cost{}, err
	}
	cost := Cost{FetchBytes: fetchBytes}
	seen := map[checkpoint.Format]bool{}
	for _, pair := range pairs {
		if !seen[pair.format] {
			seen[pair.format] = true
			cost.WriteBytes += weights * int64(c.replicasOnDisk())
		}
		pool, device := int64(0), int64(0)
		if pair.loader.Device {
			device = weights
		}
		for _, benchmarkType := range c.BenchmarkTypes {
			if pair.loader.Pooled && weights > 0 {
				one := (weights + c.ChunkBytes - 1) / c.ChunkBytes * c.ChunkBytes
				pool = max(one, min(c.PoolBytes/one, int64(c.replicasFor(benchmarkType)))*one)
			}
			cost.DeviceBytes = max(cost.DeviceBytes, device)
			for _, name := range c.devices() {
				if !pair.takes(name) {
					continue
				}
				cost.MemoryBytes = max(cost.MemoryBytes, pool)
				if name == hostDevice {
					cost.MemoryBytes = max(cost.MemoryBytes, device+pool)
				}
				arm := ArmCost{Format: string(pair.format), Loader: pair.loader.Name, BenchmarkType: benchmarkType, Bytes: weights}
				for _, steps := range c.steps(benchmarkType, pair.loader) {
					arm.Loads += len(steps)
					for _, s := range steps {
						if s.Generate {
							arm.Texts++
						}
					}
				}
				for range c.twins(Arm{}) {
					cost.Arms = append(cost.Arms, arm)
				}
			}
		}
	}
	cost.DiskBytes = cost.WriteBytes + m.Bytes()
	return cost, nil
}

// weightBytes is how large a checkpoint of the model will be in a type.
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
		if err := json.Unmarshal(configJSON, &says); err != nil {
			return 0, fmt.Errorf("read config.json: %w", err)
		}
	}
	name := says.DType
	if name == "" {
		name = says.OldDType
	}
	from := checkpoint.Float32 // what torch makes unless told otherwise
	if known, err := checkpoint.ParseDType(strings.TrimPrefix(name, "torch.")); err == nil {
		from = known
	}
	return bytes / from.Size() * to.Size(), nil
}

// Rates are how fast a machine was seen to be, in bytes per second. What is
// not known is assumed.
type Rates struct {
	Load   map[ArmCost]float64 // by format, loader and benchmark type alone
	Decode float64             // weights read while a text is generated; 0: not known
}

// What is assumed where nothing was measured, in bytes per second: a network,
// a disk and a memory of the slower kind.
const (
	assumedFetch  = 50e6
	assumedWrite  = 500e6
	assumedLoad   = 1e9
	assumedDecode = 10e9
)

// Times are what the parts of a benchmark take.
type Times struct {
	Fetch, Write, Load, Generate time.Duration
	Assumed                      bool // Load or Generate, at least in part
}

// Total is their sum.
func (t Times) Total() time.Duration { return t.Fetch + t.Write + t.Load + t.Generate }

// Times tells how long it takes at rates; a text is of newTokens.
func (c Cost) Times(r Rates, newTokens int) Times {
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	t := Times{Fetch: seconds(float64(c.FetchBytes) / assumedFetch), Write: seconds(float64(c.WriteBytes) / assumedWrite)}
	decode := r.Decode
	if decode <= 0 {
		decode = assumedDecode
	}
	for _, arm := range c.Arms {
		rate, ok := r.Load[ArmCost{Format: arm.Format, Loader: arm.Loader, BenchmarkType: arm.BenchmarkType}]
		if !ok || rate <= 0 {
			rate, t.Assumed = assumedLoad, true
		}
		t.Load += seconds(float64(arm.Loads) * float64(arm.Bytes) / rate)
		t.Generate += seconds(float64(arm.Texts) * float64(newTokens) * float64(arm.Bytes) / decode)
		t.Assumed = t.Assumed || arm.Texts > 0 && r.Decode <= 0
	}
	return t
}
