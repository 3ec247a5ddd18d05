// Package roofline measures the best this machine can do for the bytes of a load:
// how fast storage reads the checkpoint's own files, how fast memory is copied,
// and how fast a GPU is filled from host memory.
//
// A load can't be faster than the slowest of what it needs. That is the model of
// Williams, Waterman and Patterson ("Roofline: An Insightful Visual Performance
// Model for Multicore Architectures", 2009) with storage in the place of
// arithmetic.
//
// Measure carries out a Plan and returns one Measurement per trial; Best is the
// limit that loads are compared with. Nothing here uses the loaders: a roofline
// must not share their mistakes.
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
	Depth   int           `json:"depth"`    // reads in flight; 0: does not apply
	IOBytes int64         `json:"io_bytes"` // size of a read; 0: does not apply
	Bytes   int64         `json:"bytes"`
	Took    time.Duration `json:"took"`
}

// BytesPerS returns the bandwidth.
func (m Measurement) BytesPerS() float64 {
	if m.Took <= 0 {
		return 0
	}
	return float64(m.Bytes) / m.Took.Seconds()
}

// Best returns the highest bandwidth of a kind in bytes per second; 0 if there is
// none.
func Best(all []Measurement, kind string) float64 {
	best := 0.0
	for _, m := range all {
		if m.Kind == kind {
			best = max(best, m.BytesPerS())
		}
	}
	return best
}
