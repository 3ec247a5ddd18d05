package collector

import (
	"context"
	"runtime"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/roofline"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

// SurveyOptions are what to measure of a machine, apart from any load.
type SurveyOptions struct {
	Settings []roofline.Setting // of reading
	Rounds   int                // trials of each
	Copy     bool               // memory too, and the way to a GPU if the configuration names one
}

// RooflineSettings are those that storage may do best with.
func RooflineSettings() []roofline.Setting {
	return grid([]int{1, 4, 8, 16}, []int64{1 << 20, 4 << 20, 16 << 20})
}

// TuneSettings are all that the loaders may be given.
func TuneSettings() []roofline.Setting {
	return grid([]int{1, 2, 4, 8, 16, 32}, []int64{1 << 20, 2 << 20, 4 << 20, 8 << 20, directio.MaxRequest})
}

func grid(depths []int, sizes []int64) []roofline.Setting {
	var all []roofline.Setting
	for _, depth := range depths {
		for _, size := range sizes {
			all = append(all, roofline.Setting{Threads: depth, IOBytes: size})
		}
	}
	return all
}

const (
	surveyBytes = 1 << 30
	surveyTime  = 2 * time.Second
)

// Survey prepares one replica of the configuration's one model and measures
// how fast its files are read, and memory is copied. Every trial is kept.
func Survey(ctx context.Context, c Config, o SurveyOptions, sink Sink, progress Progress, host Host) ([]roofline.Measurement, error) {
	if len(c.Models) != 1 || len(c.Formats) != 1 {
		return nil, usagef("name one model and one format")
	}
	c.Replicas, c.Loaders, c.BenchmarkTypes, c.Inference = 1, []string{"raw"}, []string{Random}, InferenceNone
	plan, err := NewPlan(c)
	if err != nil {
		return nil, err
	}
	b := &benchmark{plan: plan, sink: sink, progress: progress, host: host}
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	if b.machine, err = machine.Describe(ctx, plan.Config.StoragePath); err != nil {
		return nil, err
	}
	made := plan.Checkpoints[0]
	opened, err := checkpoint.Open(made.Dirs[0], made.Format)
	if err != nil {
		return nil, err
	}
	ask := roofline.Plan{Files: tensorFiles(opened), Settings: o.Settings, Bytes: surveyBytes, Time: surveyTime, Rounds: o.Rounds}
	if o.Copy {
		ask.CopyThreads, ask.CopyBytes = min(runtime.NumCPU(), maxCopyThreads), rooflineBytes
		if device := c.devices()[0]; device != hostDevice {
			ask.Device = device
		}
	}
	trials := len(o.Settings) * max(1, o.Rounds)
	progress.Begin("measuring the storage of "+made.Dirs[0], int64(trials), Trials)
	measured, err := worker.Roofline(ctx, host.WorkerCommand, machine.StorageNode(plan.Config.StoragePath), ask, rooflineTimeout+time.Duration(trials)*2*surveyTime)
	if err == nil {
		progress.Add(int64(trials))
	}
	progress.End()
	if err != nil {
		return nil, err
	}
	rows, err := rooflineRows(b.machine.ID, nil, nil, measured)
	if err != nil {
		return nil, err
	}
	if err := b.append(record.Batch{Machines: []record.Machine{b.machine}, Rooflines: rows}); err != nil {
		return nil, err
	}
	return measured.Measurements, nil
}
