package collector

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/roofline"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

// SurveyOptions are what to measure of a machine, apart from any load.
type SurveyOptions struct {
	Settings []roofline.Setting // of reading
	Rounds   int                // trials of each
	Copy     bool               // measure memory too, and the link to a GPU if the request names one
}

// RooflineSettings are the settings that storage is likely to be fastest with.
func RooflineSettings() []roofline.Setting {
	return grid([]int{1, 4, 8, 16}, []int64{1 << 20, 4 << 20, 16 << 20})
}

// TuneSettings are the settings that loaders can be given.
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

// Survey prepares one replica of the request's one model in its one format, and
// measures how fast its files are read and memory is copied. Every trial is kept.
func Survey(ctx context.Context, q Request, look ResolveOptions, o SurveyOptions, sink Sink, program Program) (measurements []roofline.Measurement, err error) {
	for _, axis := range []struct {
		field  string
		values []string
	}{{"Models", q.Models}, {"Formats", q.Formats}, {"Devices", q.Devices}} {
		if len(axis.values) != 1 {
			return nil, fieldErrorf(axis.field, "give one")
		}
	}
	q.Replicas, q.Loaders, q.BenchmarkTypes, q.Inference = 1, []string{"raw"}, []string{Random}, InferenceNone
	found, err := Resolve(ctx, q, look)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	plan, err := found.Plan()
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, plan.Checkpoints, look.Progress); err != nil {
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
		if q.Devices[0] != device.Host {
			ask.Device = q.Devices[0]
		}
	}
	trials := len(o.Settings) * max(1, o.Rounds)
	look.Progress.Begin("measuring the storage of "+made.Dirs[0], int64(trials), Trials)
	measured, err := worker.Roofline(ctx, program.WorkerCommand, found.storageNode, ask, rooflineTimeout+time.Duration(trials)*2*surveyTime)
	if err == nil {
		look.Progress.Add(int64(trials))
	}
	look.Progress.End()
	if err != nil {
		return nil, err
	}
	rows, err := rooflineRows(plan.Machine.ID, nil, nil, measured)
	if err != nil {
		return nil, err
	}
	if err := sink.Append(ctx, record.Batch{Machines: []record.Machine{plan.Machine}, Rooflines: rows}); err != nil {
		return nil, fmt.Errorf("keep the measurements: %w", err)
	}
	return measured.Measurements, nil
}
