package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
)

// evidence is what whoever watches a load, the worker itself or its parent,
// sees from outside of it.
type evidence struct {
	files       []string
	blockDevice string
	machine     machine.System // before
}

// gather drops the replica's pages if that is asked for, and looks at what is
// there before the load.
func gather(r Load, o *Outcome) (*evidence, error) {
	if r.Drop {
		if err := dropAll(r.Dir); err != nil {
			return nil, err
		}
	}
	o.FileBytes = sizes(r.Files)
	o.ResidentBeforeBytes = resident(r.Files)
	e := &evidence{files: r.Files}
	if len(r.Files) > 0 {
		e.blockDevice = machine.BlockDevice(r.Files[0])
	}
	e.machine = machine.ReadSystem(e.blockDevice)
	return e, nil
}

// conclude looks again when the load has ended.
func (e *evidence) conclude(o *Outcome) {
	o.beside(machine.ReadSystem(e.blockDevice).Sub(e.machine))
	o.ResidentAfterBytes = resident(e.files)
}

// tellTier says where the bytes came from. Where a server brings them, and its
// reads are not known, those of the whole machine tell. One that does not say
// whether the model lay in its pool, read nothing and found nothing in the page
// cache, had it there.
func (o *Outcome) tellTier(foreign bool) {
	e := machine.Evidence{
		FileBytes:           *o.FileBytes,
		ResidentBeforeBytes: o.ResidentBeforeBytes,
		StorageReadBytes:    o.StorageReadBytes,
		PoolHit:             o.PoolHit != nil && *o.PoolHit,
		Direct:              o.Direct != nil && *o.Direct,
	}
	if foreign && e.StorageReadBytes == nil {
		e.StorageReadBytes = o.StorageDeviceReadBytes
	}
	if foreign && o.PoolHit == nil {
		few := func(n *int64) bool { return n != nil && *n <= e.FileBytes/20 }
		e.PoolHit = few(e.StorageReadBytes) && few(e.ResidentBeforeBytes)
	}
	o.SourceTier = machine.SourceTier(e)
}

// beside takes what the whole machine did.
func (o *Outcome) beside(s machine.System) {
	o.StorageDeviceReadBytes, o.StorageDeviceReads, o.StorageDeviceBusyS = s.DeviceReadBytes, s.DeviceReads, secondsOf(s.DeviceBusy)
	o.CPUPressureS, o.MemoryPressureS, o.IOPressureS = secondsOf(s.CPUPressure), secondsOf(s.MemoryPressure), secondsOf(s.IOPressure)
	o.MachineCPUS, o.StealS, o.ThrottledS = secondsOf(s.Busy), secondsOf(s.Steal), secondsOf(s.Throttled)
	o.KernelThreadsCPUS = secondsOf(s.KernelThreads)
}

func secondsOf(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	return new(d.Seconds())
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
	return machine.Drop(paths)
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
	n, err := machine.Resident(paths)
	if err != nil {
		return nil
	}
	return &n
}
