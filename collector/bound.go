package collector

import (
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

// What a load can be bound by.
const (
	boundByStorage = "storage"
	boundByCopy    = "copy"
	boundByCPU     = "cpu"
)

// ceiling is what the machine can do at best, in bytes per second; 0 is not
// known.
type ceiling struct {
	storage, copy float64
	threads       int // that a loader spreads its CPU time over
}

// bound says what bound a load, and how far from the possible it was: the
// slower of storage and copy, since they overlap at best, over the time that
// it took. CPU time names the bound where it is the slowest, but is no
// roofline: it is what this loader spends, not what the bytes need.
func (c ceiling) bound(l *record.Load, o *worker.Outcome) {
	if o.LoadingTimeS == nil || *o.LoadingTimeS <= 0 || c.copy <= 0 {
		return
	}
	slowest := 0.0
	consider := func(into **float64, seconds float64, name string) {
		*into = new(seconds)
		if seconds > slowest {
			slowest, l.Bound = seconds, new(name)
		}
	}
	if o.StorageReadBytes != nil && c.storage > 0 {
		consider(&l.StorageBoundS, float64(*o.StorageReadBytes)/c.storage, boundByStorage)
	}
	// What is read and dropped is not copied.
	if o.Bytes != nil && o.DeviceMemoryAfterBytes != nil && *o.DeviceMemoryAfterBytes > 0 {
		consider(&l.CopyBoundS, float64(*o.Bytes)/c.copy, boundByCopy)
	}
	if slowest > 0 {
		l.Efficiency = new(slowest / *o.LoadingTimeS)
	}
	if o.CPUUserS != nil && o.CPUSystemS != nil && c.threads > 0 {
		consider(&l.CPUBoundS, (*o.CPUUserS+*o.CPUSystemS)/float64(c.threads), boundByCPU)
	}
}
