package collector

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/roofline"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

// The roofline of a session takes about a second.
const (
	rooflineBytes   = 256 << 20
	rooflineTime    = 300 * time.Millisecond
	rooflineRounds  = 2
	rooflineTimeout = 2 * time.Minute
	maxCopyThreads  = 32
)

// rooflinePlan plans the measurement before a session: storage as the loader reads
// it and as it is fastest, and copies of memory.
func rooflinePlan(paths []string, matched roofline.Setting, deviceName string) roofline.Plan {
	settings := []roofline.Setting{matched}
	for _, s := range []roofline.Setting{{Threads: 16, IOBytes: 4 << 20}, {Threads: 4, IOBytes: 16 << 20}, {Threads: 8, IOBytes: 16 << 20}} {
		if !slices.Contains(settings, s) {
			settings = append(settings, s)
		}
	}
	if deviceName == device.Host {
		deviceName = ""
	}
	return roofline.Plan{
		Device:      deviceName,
		Files:       paths,
		Settings:    settings,
		Bytes:       rooflineBytes,
		Time:        rooflineTime,
		Rounds:      rooflineRounds,
		CopyThreads: min(runtime.NumCPU(), maxCopyThreads),
		CopyBytes:   rooflineBytes,
	}
}

// measureRoofline measures what the machine can do for a session's loads, and
// keeps it as rows. If that fails, the loads are measured without efficiency.
func (r *run) measureRoofline(ctx context.Context, steps []Step) (ceiling, error) {
	open := r.planned.Worker
	best := ceiling{threads: min(r.planned.Threads, runtime.NumCPU()), brings: open.DeviceBytes > 0}
	if !r.bench.plan.Request.Roofline {
		return best, nil
	}
	// The replicas that are loaded last come first, so that caches below the
	// filesystem have time to forget them.
	var paths []string
	seen := map[int]bool{}
	for _, step := range slices.Backward(steps) {
		if !seen[step.Replica] {
			seen[step.Replica] = true
			paths = append(paths, r.files(r.planned.Checkpoint.Dirs[step.Replica])...)
		}
	}
	queue := cmp.Or(open.Depth, max(open.Threads, directio.Queue))
	size := cmp.Or(open.IOBytes, directio.RequestBytes(r.planned.Checkpoint.TensorBytes, queue))
	plan := rooflinePlan(paths, roofline.Setting{Threads: queue, IOBytes: size}, open.Device)
	measured, err := worker.Roofline(ctx, r.bench.program.WorkerCommand, open.Node, plan, rooflineTimeout)
	if ctx.Err() != nil {
		return best, ctx.Err()
	}
	if err != nil {
		r.bench.progress.Note(fmt.Sprintf("%s %s: no roofline, so loads have no efficiency: %v", r.row.Model, r.row.Format, err))
		return best, nil
	}
	best.storage = roofline.Best(measured.Measurements, roofline.StorageRead)
	best.memory = roofline.Best(measured.Measurements, roofline.MemoryCopy)
	best.link = roofline.Best(measured.Measurements, roofline.HostToDevice)
	rows, err := rooflineRows(r.row.MachineID, &r.row.ID, new(r.processes), measured)
	if err != nil {
		return best, err
	}
	// Direct reads leave no pages, but buffered ones would warm the first loads.
	if r.planned.PageCache == PageCacheDrop {
		if err := machine.Drop(paths); err != nil {
			return best, err
		}
	}
	return best, r.bench.append(record.Batch{Rooflines: rows})
}

func rooflineRows(machineID string, runID *string, session *int64, measured *worker.Measured) ([]record.Roofline, error) {
	var rows []record.Roofline
	for _, m := range measured.Measurements {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("make an ID: %w", err)
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

// Bounds of a load.
const (
	boundByStorage = "storage"
	boundByCopy    = "copy"
	boundByLink    = "host_to_device"
	boundByCPU     = "cpu"
)

// ceiling is what the machine can do at best, in bytes per second; 0: unknown.
type ceiling struct {
	storage, memory float64 // memory: copies
	link            float64 // to the GPUs; 0: the device is the host, or unknown
	brings          bool    // the loader brings bytes to the device instead of dropping them
	threads         int     // that share a loader's CPU time
}

// fill fills in what bound a load, and its efficiency: the time of the slower of
// storage and copy over the measured one. For a GPU the copy is the link to it.
// Storage and copy overlap at best, so the slower one is the limit. CPU time is
// named as the bound where it is the slowest, but is not part of the roofline: it
// is what this loader spends, not what the bytes need.
func (c ceiling) fill(l *record.Load) {
	if l.LoadingTimeS == nil || *l.LoadingTimeS <= 0 || c.memory <= 0 {
		return
	}
	slowest := 0.0
	consider := func(column **float64, seconds float64, name string) {
		*column = &seconds
		if seconds > slowest {
			slowest, l.Bound = seconds, &name
		}
	}
	if l.StorageReadBytes != nil && c.storage > 0 {
		consider(&l.StorageBoundS, float64(*l.StorageReadBytes)/c.storage, boundByStorage)
	}
	switch {
	case l.Bytes == nil || !c.brings: // bytes that are read and dropped are not copied
	case c.link > 0:
		consider(&l.HostToDeviceBoundS, float64(*l.Bytes)/c.link, boundByLink)
	default:
		consider(&l.CopyBoundS, float64(*l.Bytes)/c.memory, boundByCopy)
	}
	if slowest > 0 {
		l.Efficiency = new(slowest / *l.LoadingTimeS)
	}
	if l.CPUUserS != nil && l.CPUSystemS != nil && c.threads > 0 {
		consider(&l.CPUBoundS, (*l.CPUUserS+*l.CPUSystemS)/float64(c.threads), boundByCPU)
	}
}
