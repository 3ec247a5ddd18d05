package loader_test

import (
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/stage"
)

// steady returns a function that loads one tensor of the given size in requests of
// 64 KiB. It has loaded a few times already, so that everything allocated once is
// there.
func steady(t testing.TB, technique loader.Technique, f checkpoint.Format, bytes int64) (once func()) {
	t.Helper()
	dir := write(t, t.TempDir(), f, [][]tensor{{bytesOf("only", checkpoint.UInt8, bytes)}})
	host, err := device.Open("host", bytes+1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	l, err := technique.Open(t.Context(), loader.Options{Format: f, Device: host, Depth: 8, IOBytes: 64 << 10, ChunkBytes: 64 << 10, PoolBytes: bytes/2 + 64<<10, Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	once = func() {
		loaded, err := l.Load(t.Context(), dir, stage.Begin())
		if err != nil {
			t.Fatal(err)
		}
		if err := loaded.Free(); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		once()
	}
	return once
}

// TestASteadyLoadTakesNoMemoryForItsBytes checks that what a load allocates does
// not depend on its size, and that it leaves no goroutine.
func TestASteadyLoadTakesNoMemoryForItsBytes(t *testing.T) {
	for _, technique := range loader.Techniques() {
		if technique.Served {
			continue // its server does the work
		}
		for _, f := range technique.Formats {
			t.Run(fmt.Sprintf("%s %s", technique.Name, f), func(t *testing.T) {
				few, many := steady(t, technique, f, 1<<20), steady(t, technique, f, 16<<20)
				before := runtime.NumGoroutine()
				// The runtime allocates now and then too, but not every time.
				less, more := math.Inf(1), math.Inf(1)
				for range 5 {
					less, more = min(less, testing.AllocsPerRun(5, few)), min(more, testing.AllocsPerRun(5, many))
				}
				if more > less {
					t.Errorf("%v allocations for 1 MiB in 16 requests, %v for 16 MiB in 256", less, more)
				}
				settle(t, before)
			})
		}
	}
}

// BenchmarkSteadyLoad reports what a load costs the Go runtime once everything is
// set up: allocations, the most goroutines, and goroutines left.
func BenchmarkSteadyLoad(b *testing.B) {
	for _, technique := range loader.Techniques() {
		if technique.Served {
			continue
		}
		for _, f := range technique.Formats {
			b.Run(fmt.Sprintf("%s/%s", technique.Name, f), func(b *testing.B) {
				const bytes = 16 << 20
				once := steady(b, technique, f, bytes)
				before := runtime.NumGoroutine()
				var most atomic.Int64
				done, watched := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(watched)
					for {
						select {
						case <-done:
							return
						case <-time.After(50 * time.Microsecond):
							most.Store(max(most.Load(), int64(runtime.NumGoroutine()-before-1)))
						}
					}
				}()
				b.SetBytes(bytes)
				b.ReportAllocs()
				for b.Loop() {
					once()
				}
				close(done)
				<-watched
				b.ReportMetric(float64(most.Load()), "goroutines")
				b.ReportMetric(float64(runtime.NumGoroutine()-before), "left")
			})
		}
	}
}
