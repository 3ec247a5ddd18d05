package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/stage"
)

// measure does one load and takes the evidence around it. Between the two
// looks at the clock there is the load and nothing else.
func (n *native) measure(ctx context.Context, r Load) *Outcome {
	o := &Outcome{StartedAt: time.Now().UTC()}
	e, err := gather(r, o)
	if err != nil {
		o.Error = err.Error()
		return o
	}
	o.DeviceMemoryBeforeBytes = n.deviceMemory()
	server, served := serverOf(n.loader)
	before, beforeErr := usageWith(server)

	o.StartedAt = time.Now().UTC()
	clock := stage.Begin()
	if r.Trace {
		clock.Trace()
	}
	loaded, err := n.loader.Load(ctx, r.Dir, clock)
	elapsed := clock.Elapsed()

	after, afterErr := usageWith(server)
	if beforeErr == nil && afterErr == nil {
		o.use(after.Sub(before))
	}
	if served && server.PID == 0 {
		o.StorageReadBytes = nil // another process reads, and which is not known
	}
	if err == nil {
		err = loaded.Explain(ctx)
	}
	e.conclude(o)
	o.DeviceMemoryAfterBytes = n.deviceMemory()
	o.Stages, o.Chunks = clock.Stages(), clock.Chunks()
	if err != nil {
		o.Error, o.Over = err.Error(), errors.Is(err, loader.ErrOver)
		if loaded != nil {
			n.held = loaded
			_ = n.free() // what went wrong before says more
		}
		return o
	}
	o.LoadingTimeS = new(elapsed.Seconds())
	o.describe(loaded, served)

	if r.Verify && loaded.Memory != nil {
		verifyErr := verify(ctx, loaded, r.Dir)
		o.Verified = new(verifyErr == nil)
		if verifyErr != nil {
			o.Error = verifyErr.Error()
		}
	}
	n.held = loaded
	if !r.Keep || o.Error != "" {
		if err := n.free(); err != nil && o.Error == "" {
			o.Error = err.Error()
		}
	}
	return o
}

// deviceMemory is what is in use of the device's memory: all of a GPU's that
// anybody has taken, and of the host's what a load has.
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

// free gives back the device's memory that the last load took.
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

func (o *Outcome) use(u machine.Usage) {
	o.CPUUserS = new(u.CPUUser.Seconds())
	o.CPUSystemS = new(u.CPUSystem.Seconds())
	o.MajorFaults = &u.MajorFaults
	o.MinorFaults = &u.MinorFaults
	o.VoluntarySwitches = &u.VoluntarySwitches
	o.InvoluntarySwitches = &u.InvoluntarySwitches
	o.PeakRSSBytes = &u.PeakRSSBytes
	o.StorageReadBytes = u.StorageReadBytes
	o.CPUDelayS, o.BlockDelayS, o.MemoryDelayS = secondsOf(u.Delays.CPU), secondsOf(u.Delays.Block), secondsOf(u.Delays.Memory)
}

func (o *Outcome) describe(l *loader.Loaded, served bool) {
	o.Bytes = &l.Bytes
	o.Tensors = new(int64(len(l.Checkpoint.Tensors)))
	o.Direct = l.Direct
	if r := l.Reading; r.Method != "" {
		o.IOMethod, o.IODepth = r.Method, new(int64(r.Depth))
		if r.Bytes > 0 {
			o.IOSizeBytes = &r.Bytes
		}
	}
	o.PoolHit = l.PoolHit
	o.PoolStreamed = l.Streamed
	o.PoolEvictedBytes = l.Evicted
	o.tellTier(served)
}
