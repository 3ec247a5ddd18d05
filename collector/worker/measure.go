package worker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/stage"
	"github.com/sllmq/sllmq/warehouse/record"
)

// measure does one load and takes the evidence around it. Only the load runs
// between the two readings of the clock.
func (n *native) measure(ctx context.Context, r Load) *Outcome {
	memoryBefore := n.deviceMemory()
	evidence, err := beginEvidence(r, n.open.Store != nil, n.usage)
	if err != nil {
		return Failed(err)
	}
	o := &Outcome{}
	row := &o.Load

	row.StartedAt = time.Now().UTC()
	clock := stage.Begin()
	if r.Trace {
		clock.Trace()
	}
	loaded, err := n.loader.Load(ctx, r.Dir, clock)
	elapsed := clock.Elapsed()

	evidence.end(row)
	if err == nil {
		err = loaded.Explain(ctx)
	}
	row.DeviceMemoryBeforeBytes, row.DeviceMemoryAfterBytes = memoryBefore, n.deviceMemory()
	o.Stages, o.IOTrace = stageRows(clock.Stages()), traceRows(clock.Chunks(), r.Files)
	n.held = loaded
	if err != nil {
		row.Error, o.Over = new(err.Error()), errors.Is(err, loader.ErrOver)
		_ = n.free() // the first error says more
		return o
	}
	row.LoadingTimeS = new(elapsed.Seconds())
	fillLoaded(row, loaded)
	row.SourceTier = evidence.sourceTier(row)

	if r.Verify && loaded.Memory != nil {
		verifyErr := verify(ctx, loaded, r.Dir)
		row.Verified = new(verifyErr == nil)
		if verifyErr != nil {
			row.Error = new(verifyErr.Error())
		}
	}
	if !r.Keep || row.Error != nil {
		if err := n.free(); err != nil && row.Error == nil {
			row.Error = new(err.Error())
		}
	}
	return o
}

// usage reads what this process and a store that was started for it have used.
func (n *native) usage() (machine.Usage, error) {
	own, err := machine.ReadUsage()
	if err != nil {
		return own, err
	}
	return withStore(own, n.open.Store)
}

// deviceMemory returns the device's memory in use: of a GPU by all processes, of
// the host by loads.
func (n *native) deviceMemory() *int64 {
	meter, ok := n.device.(device.Meter)
	if !ok {
		return new(n.device.Used())
	}
	used, err := meter.InUse()
	if err != nil {
		return nil
	}
	return &used
}

// free gives back the device memory of the last load.
func (n *native) free() error {
	if n.held == nil {
		return nil
	}
	loaded := n.held
	n.held = nil
	if err := loaded.Free(); err != nil {
		return fmt.Errorf("free the device's memory: %w", err)
	}
	return nil
}

func fillLoaded(row *record.Load, l *loader.Loaded) {
	row.Bytes = &l.Bytes
	row.Tensors = new(int64(len(l.Checkpoint.Tensors)))
	row.DirectIO = l.Direct
	if r := l.Reading; r.Method != "" {
		row.IOMethod, row.IODepth = &r.Method, new(int64(r.Depth))
		if r.Bytes > 0 {
			row.IOSizeBytes = &r.Bytes
		}
	}
	row.PoolHit = l.PoolHit
	row.PoolStreamed = l.Streamed
	row.PoolEvictedBytes = l.Evicted
}

func stageRows(stages []stage.Stage) []record.Stage {
	var rows []record.Stage
	for _, s := range stages {
		row := record.Stage{Stage: s.Name, StartS: s.Start.Seconds(), DurationS: (s.End - s.Start).Seconds(), BusyS: new(s.Busy.Seconds())}
		if s.Bytes != 0 {
			row.Bytes = &s.Bytes
		}
		rows = append(rows, row)
	}
	return rows
}

func traceRows(chunks []stage.Chunk, files []string) []record.IOTrace {
	var rows []record.IOTrace
	for i, c := range chunks {
		row := record.IOTrace{
			Chunk:       int64(i),
			OffsetBytes: c.Offset,
			Bytes:       c.Bytes,
			QueuedS:     new(c.Queued.Seconds()),
			StartS:      c.Start.Seconds(),
			DurationS:   (c.End - c.Start).Seconds(),
			CopiedS:     new(c.Copied.Seconds()),
			Thread:      int64(c.Thread),
		}
		if c.File < len(files) {
			row.File = filepath.Base(files[c.File])
		}
		rows = append(rows, row)
	}
	return rows
}
