package collector

import "github.com/sllmq/sllmq/warehouse/record"

// Bounds of a load.
const (
	boundByStorage = "storage"
	boundByCopy    = "copy"
	boundByLink    = "host_to_device"
	boundByCPU     = "cpu"
)

// ceiling is what the machine can do at best, in bytes per second; 0: unknown.
type ceiling struct {
	storage, copy float64
	link          float64 // to the GPUs; 0: the device is the host, or unknown
	brings        bool    // the loader brings bytes to the device instead of dropping them
	threads       int     // that share a loader's CPU time
}

// fill fills in what bound a load, and its efficiency: the time of the slower of
// storage and copy over the measured one. For a GPU the copy is the link to it.
// Storage and copy overlap at best, so the slower one is the limit. CPU time is
// named as the bound where it is the slowest, but is not part of the roofline: it
// is what this loader spends, not what the bytes need.
func (c ceiling) fill(l *record.Load) {
	if l.LoadingTimeS == nil || *l.LoadingTimeS <= 0 || c.copy <= 0 {
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
		consider(&l.CopyBoundS, float64(*l.Bytes)/c.copy, boundByCopy)
	}
	if slowest > 0 {
		l.Efficiency = new(slowest / *l.LoadingTimeS)
	}
	if l.CPUUserS != nil && l.CPUSystemS != nil && c.threads > 0 {
		consider(&l.CPUBoundS, (*l.CPUUserS+*l.CPUSystemS)/float64(c.threads), boundByCPU)
	}
}
