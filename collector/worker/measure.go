package worker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/probe"
	"github.com/sllmq/sllmq/collector/stage"
)

// measure does one load and takes the evidence around it. Between the two
// looks at the clock there is the load and nothing else.
func (n *native) measure(ctx context.Context, r Load) *Outcome {
	o := &Outcome{StartedAt: time.Now().UTC()}
	if r.Drop {
		if err := dropAll(r.Dir); err != nil {
			o.Error = err.Error()
			return o
		}
	}
	o.FileBytes = sizes(r.Files)
	o.ResidentBeforeBytes = resident(r.Files)
	o.DeviceMemoryBeforeBytes = n.deviceMemory()
	var blockDevice string
	if len(r.Files) > 0 {
		blockDevice = probe.BlockDevice(r.Files[0])
	}
	machineBefore := probe.ReadSystem(blockDevice)
	before, beforeErr := probe.ReadUsage()

	o.StartedAt = time.Now().UTC()
	clock := stage.Begin()
	if r.Trace {
		clock.Trace()
	}
	loaded, err := n.loader.Load(ctx, r.Dir, clock)
	elapsed := clock.Elapsed()

	after, afterErr := probe.ReadUsage()
	if beforeErr == nil && afterErr == nil {
		o.use(after.Sub(before))
	}
	o.beside(probe.ReadSystem(blockDevice).Sub(machineBefore))
	o.ResidentAfterBytes = resident(r.Files)
	o.DeviceMemoryAfterBytes = n.deviceMemory()
	o.Stages, o.Chunks = clock.Stages(), clock.Chunks()
	if err != nil {
		o.Error = err.Error()
		return o
	}
	o.LoadingTimeS = new(elapsed.Seconds())
	o.describe(loaded)

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

func (o *Outcome) use(u probe.Usage) {
	o.CPUUserS = new(u.CPUUser.Seconds())
	o.CPUSystemS = new(u.CPUSystem.Seconds())
	o.MajorFaults = &u.MajorFaults
	o.MinorFaults = &u.MinorFaults
	o.VoluntarySwitches = &u.VoluntarySwitches
	o.InvoluntarySwitches = &u.InvoluntarySwitches
	o.PeakRSSBytes = &u.PeakRSSBytes
	o.StorageReadBytes = u.StorageReadBytes
}

// beside takes what the whole machine did.
func (o *Outcome) beside(s probe.System) {
	o.StorageDeviceReadBytes, o.StorageDeviceReads, o.StorageDeviceBusyS = s.DeviceReadBytes, s.DeviceReads, secondsOf(s.DeviceBusy)
	o.CPUPressureS, o.MemoryPressureS, o.IOPressureS = secondsOf(s.CPUPressure), secondsOf(s.MemoryPressure), secondsOf(s.IOPressure)
	o.MachineCPUS, o.StealS, o.ThrottledS = secondsOf(s.Busy), secondsOf(s.Steal), secondsOf(s.Throttled)
}

func secondsOf(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	return new(d.Seconds())
}

func (o *Outcome) describe(l *loader.Loaded) {
	o.Bytes = &l.Bytes
	o.Tensors = new(int64(len(l.Checkpoint.Tensors)))
	o.Direct = l.Direct
	o.PoolHit = l.PoolHit
	o.PoolStreamed = l.Streamed
	o.PoolEvictedBytes = l.Evicted
	o.SourceTier = probe.SourceTier(probe.Evidence{
		FileBytes:           *o.FileBytes,
		ResidentBeforeBytes: o.ResidentBeforeBytes,
		StorageReadBytes:    o.StorageReadBytes,
		PoolHit:             l.PoolHit != nil && *l.PoolHit,
		Direct:              l.Direct != nil && *l.Direct,
	})
}

// dropAll drops the pages of every file of the replica, its index too.
func dropAll(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("drop the pages of %s: %w", dir, err)
	}
	var paths []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return probe.Drop(paths)
}

// sizes is the sum of the files' sizes; a file that is not there has none, and
// the load will say so.
func sizes(paths []string) *int64 {
	var total int64
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			total += info.Size()
		}
	}
	return &total
}

// resident is what lies in the page cache, nil where the kernel won't tell.
func resident(paths []string) *int64 {
	n, err := probe.Resident(paths)
	if err != nil {
		return nil
	}
	return &n
}
