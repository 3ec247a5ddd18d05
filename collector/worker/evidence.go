package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/warehouse/record"
)

// evidence is what can be seen of a load from outside its loader: residency in
// the page cache, the work of the whole machine, and what the processes that
// loaded have used. The native worker takes its own; for a Python worker the
// parent does.
type evidence struct {
	files    []string
	device   string                        // block device under the files
	observed func() (machine.Usage, error) // of the processes that load
	served   bool                          // a store reads for them

	// The readings before the load.
	fileBytes, resident *int64
	dirty               *int64
	system              machine.System
	usage               machine.Usage
	usageErr            error
}

// beginEvidence drops the replica's pages if r asks for it, and takes the
// readings before a load. The caller loads next.
func beginEvidence(r Load, served bool, observed func() (machine.Usage, error)) (*evidence, error) {
	if r.Drop {
		if err := dropAll(r.Dir); err != nil {
			return nil, err
		}
	}
	e := &evidence{files: r.Files, observed: observed, served: served, fileBytes: sizes(r.Files), resident: resident(r.Files), dirty: machine.DirtyMemory()}
	if len(r.Files) > 0 {
		e.device = machine.BlockDevice(r.Files[0])
	}
	e.system = machine.ReadSystem(e.device)
	e.usage, e.usageErr = observed()
	return e, nil
}

// end takes the readings after the load and fills in their columns. Use is added
// to what the worker's process counted of its own.
func (e *evidence) end(l *record.Load) {
	usage, err := e.observed()
	system := machine.ReadSystem(e.device).Sub(e.system)
	if err == nil && e.usageErr == nil {
		fillUsage(l, usage.Sub(e.usage))
	}
	fillSystem(l, system)
	l.FileBytes, l.ResidentBeforeBytes, l.ResidentAfterBytes = e.fileBytes, e.resident, resident(e.files)
	l.DirtyBeforeBytes = e.dirty
}

func fillUsage(l *record.Load, u machine.Usage) {
	add(&l.CPUUserS, u.CPUUser.Seconds())
	add(&l.CPUSystemS, u.CPUSystem.Seconds())
	add(&l.MajorFaults, u.MajorFaults)
	add(&l.MinorFaults, u.MinorFaults)
	add(&l.VoluntarySwitches, u.VoluntarySwitches)
	add(&l.InvoluntarySwitches, u.InvoluntarySwitches)
	if l.PeakRSSBytes == nil {
		l.PeakRSSBytes = &u.PeakRSSBytes
	}
	l.StorageReadBytes = u.StorageReadBytes
	l.CPUDelayS, l.BlockDelayS, l.MemoryDelayS = secondsOf(u.Delays.CPU), secondsOf(u.Delays.Block), secondsOf(u.Delays.Memory)
}

func add[T int64 | float64](column **T, n T) {
	if *column != nil {
		n += **column
	}
	*column = &n
}

// fillSystem fills in what the whole machine did during the load.
func fillSystem(l *record.Load, s machine.System) {
	l.StorageDeviceReadBytes, l.StorageDeviceReads, l.StorageDeviceBusyS = s.DeviceReadBytes, s.DeviceReads, secondsOf(s.DeviceBusy)
	l.CPUPressureS, l.MemoryPressureS, l.IOPressureS = secondsOf(s.CPUPressure), secondsOf(s.MemoryPressure), secondsOf(s.IOPressure)
	l.MachineCPUS, l.StealS, l.ThrottledS = secondsOf(s.Busy), secondsOf(s.Steal), secondsOf(s.Throttled)
	l.KernelThreadsCPUS = secondsOf(s.KernelThreads)
}

// sourceTier infers where the bytes of a complete row came from, nil if nothing
// tells. Where a store loads and its reads are unknown, the reads of the whole
// machine stand for them. If the store does not report pool hits either, a load
// that read nothing and found nothing in the page cache was a hit.
func (e *evidence) sourceTier(l *record.Load) *string {
	known := machine.Evidence{
		FileBytes:           *l.FileBytes,
		ResidentBeforeBytes: l.ResidentBeforeBytes,
		StorageReadBytes:    l.StorageReadBytes,
		PoolHit:             l.PoolHit != nil && *l.PoolHit,
		Direct:              l.DirectIO != nil && *l.DirectIO,
	}
	if e.served && known.StorageReadBytes == nil {
		known.StorageReadBytes = l.StorageDeviceReadBytes
	}
	if e.served && l.PoolHit == nil {
		few := func(n *int64) bool { return n != nil && *n <= known.FileBytes/20 }
		known.PoolHit = few(known.StorageReadBytes) && few(known.ResidentBeforeBytes)
	}
	if tier := machine.SourceTier(known); tier != "" {
		return &tier
	}
	return nil
}

// withStore adds what a store used that was started for this worker. A store
// that was running serves others too: its use for this load is unknown, and so
// is what was read from storage.
func withStore(u machine.Usage, s *Store) (machine.Usage, error) {
	switch {
	case s == nil:
		return u, nil
	case s.PID == 0:
		u.StorageReadBytes = nil
		return u, nil
	}
	store, err := machine.UsageOf(s.PID)
	return u.Add(store), err
}

func secondsOf(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	return new(d.Seconds())
}

// dropAll drops the pages of every file of the replica, including its index.
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

// sizes sums the sizes of files. A missing file counts as empty; the load will
// report it.
func sizes(paths []string) *int64 {
	var total int64
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			total += info.Size()
		}
	}
	return &total
}

// resident returns how many bytes are in the page cache, nil where the kernel
// does not tell.
func resident(paths []string) *int64 {
	n, err := machine.Resident(paths)
	if err != nil {
		return nil
	}
	return &n
}
