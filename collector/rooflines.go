package collector

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/roofline"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

// What a session's roofline takes: about a second.
const (
	rooflineBytes   = 256 << 20
	rooflineTime    = 300 * time.Millisecond
	rooflineRounds  = 2
	rooflineTimeout = 2 * time.Minute
	maxCopyThreads  = 32
)

// rooflinePlan is what is measured before a session: the storage as the
// loader asks it and as it does best, and copies of memory.
func rooflinePlan(paths []string, matched roofline.Setting, device string) roofline.Plan {
	settings := []roofline.Setting{matched}
	for _, s := range []roofline.Setting{{Threads: 16, IOBytes: 4 << 20}, {Threads: 4, IOBytes: 16 << 20}, {Threads: 8, IOBytes: 16 << 20}} {
		if !slices.Contains(settings, s) {
			settings = append(settings, s)
		}
	}
	if device == hostDevice {
		device = ""
	}
	return roofline.Plan{
		Device:      device,
		Files:       paths,
		Settings:    settings,
		Bytes:       rooflineBytes,
		Time:        rooflineTime,
		Rounds:      rooflineRounds,
		CopyThreads: min(runtime.NumCPU(), maxCopyThreads),
		CopyBytes:   rooflineBytes,
	}
}

// measureRoofline measures what the machine can do for the session's loads,
// keeps it as rows, and holds the loads against it. Where it can't be had the
// loads are measured all the same.
func (r *run) measureRoofline(ctx context.Context, session int64, steps []Step) error {
	r.ceiling = ceiling{threads: min(r.arm.Threads, runtime.NumCPU()), brings: r.arm.Worker.DeviceBytes > 0}
	if !r.plan.Config.Roofline {
		return nil
	}
	// The replicas that are loaded last come first, so that what caches there
	// may be below the filesystem have time to forget.
	var paths []string
	seen := map[int]bool{}
	for _, step := range slices.Backward(steps) {
		if !seen[step.Replica] {
			seen[step.Replica] = true
			paths = append(paths, r.open(r.arm.Checkpoint.Dirs[step.Replica])...)
		}
	}
	queue := cmp.Or(r.arm.Worker.Depth, max(r.arm.Worker.Threads, directio.Queue))
	size := cmp.Or(r.arm.Worker.IOBytes, directio.RequestBytes(r.arm.Checkpoint.TensorBytes, queue))
	plan := rooflinePlan(paths, roofline.Setting{Threads: queue, IOBytes: size}, r.arm.Device)
	measured, err := worker.Roofline(ctx, r.host.WorkerCommand, r.arm.Worker.Node, plan, rooflineTimeout)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.progress.Note(fmt.Sprintf("%s %s: no roofline, so loads have no efficiency: %v", r.row.Model, r.row.Format, err))
		return nil
	}
	r.ceiling.storage = roofline.Best(measured.Measurements, roofline.StorageRead)
	r.ceiling.copy = roofline.Best(measured.Measurements, roofline.MemoryCopy)
	r.ceiling.link = roofline.Best(measured.Measurements, roofline.HostToDevice)
	rows, err := rooflineRows(r.machine.ID, &r.row.ID, &session, measured)
	if err != nil {
		return err
	}
	// Direct reads leave no pages, buffered ones would warm the first loads.
	if r.arm.PageCache == PageCacheDrop {
		if err := machine.Drop(paths); err != nil {
			return err
		}
	}
	return r.append(record.Batch{Rooflines: rows})
}

func rooflineRows(machineID string, runID *string, session *int64, measured *worker.Measured) ([]record.Roofline, error) {
	var rows []record.Roofline
	for _, m := range measured.Measurements {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("make an id: %w", err)
		}
		row := record.Roofline{
			ID:                 id.String(),
			MachineID:          machineID,
			RunID:              runID,
			Session:            session,
			MeasuredAt:         measured.At,
			Kind:               m.Kind,
			Method:             &m.Method,
			Threads:            new(int64(m.Threads)),
			Bytes:              m.Bytes,
			DurationS:          m.Took.Seconds(),
			BandwidthBytesPerS: m.BytesPerS(),
		}
		if m.IOBytes > 0 {
			row.Depth, row.IOSizeBytes = new(int64(m.Depth)), &m.IOBytes
		}
		rows = append(rows, row)
	}
	return rows, nil
}
