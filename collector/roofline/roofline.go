// Package roofline measures what this machine could do at best for the bytes
// of a load: how fast the storage gives the checkpoint's own files, how fast
// memory is copied, and how fast a GPU is filled from it.
//
// A load can be no faster than the slowest of what it needs, which is the
// model of Williams, Waterman and Patterson ("Roofline", 2009) with storage
// in the place of arithmetic.
package roofline

import "time"

// Kinds of measurement, as the warehouse names them.
const (
	StorageRead  = "storage_read"
	MemoryCopy   = "memory_copy"
	HostToDevice = "host_to_device"
)

// Measurement is one trial.
type Measurement struct {
	Kind    string        `json:"kind"`
	Method  string        `json:"method"`
	Threads int           `json:"threads"`
	Depth   int           `json:"depth"`    // requests in flight; 0: of no meaning
	IOBytes int64         `json:"io_bytes"` // of a request; 0: of no meaning
	Bytes   int64         `json:"bytes"`
	Took    time.Duration `json:"took"`
}

// BytesPerS is the bandwidth.
func (m Measurement) BytesPerS() float64 {
	if m.Took <= 0 {
		return 0
	}
	return float64(m.Bytes) / m.Took.Seconds()
}

// Best is the highest bandwidth of a kind, 0 if there is none.
func Best(all []Measurement, kind string) float64 {
	best := 0.0
	for _, m := range all {
		if m.Kind == kind {
			best = max(best, m.BytesPerS())
		}
	}
	return best
}
