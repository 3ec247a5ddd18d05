package collector

import (
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

// What a load can be bound by.
const (
	boundByStorage = "storage"
	boundByCopy    = "copy"
	boundByLink    = "host_to_device"
	boundByCPU     = "cpu"
)

// ceiling is what the machine can do at best, in bytes per second; 0 is not
// known.
type ceiling struct {
	storage, copy float64
	link          float64 // to the GPUs; 0: the device is the host, or it is not known
	brings        bool    // the loader brings bytes to the device, rather than dropping them
	threads       int     // that a loader spreads its CPU time over
}

// bound says what bound a load, and how far from the possible it was: the
// slower of storage and copy, which for a GPU is the way there, since they overlap at best, over the time that
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
	switch {
	case o.Bytes == nil || !c.brings: // what is read and dropped is not copied
	case c.link > 0:
		consider(&l.HostToDeviceBoundS, float64(*o.Bytes)/c.link, boundByLink)
	default:
		consider(&l.CopyBoundS, float64(*o.Bytes)/c.copy, boundByCopy)
	}
	if slowest > 0 {
		l.Efficiency = new(slowest / *o.LoadingTimeS)
	}
	if o.CPUUserS != nil && o.CPUSystemS != nil && c.threads > 0 {
		consider(&l.CPUBoundS, (*o.CPUUserS+*o.CPUSystemS)/float64(c.threads), boundByCPU)
	}
}
