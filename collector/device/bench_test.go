package device_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/hostmem"
)

// TestCopiesToAGPU measures what the choices of this package and of the loaders are
// based on. It needs a GPU, and a large file for copies from a mapping:
//
//	SLLMQ_BENCH_GPU=cuda:0 SLLMQ_BENCH_FILE=model.safetensors go test -run CopiesToAGPU -v ./collector/device
func TestCopiesToAGPU(t *testing.T) {
	name := os.Getenv("SLLMQ_BENCH_GPU")
	if name == "" {
		t.Skip("set SLLMQ_BENCH_GPU to a GPU")
	}
	const size = 2 << 30
	d, err := device.Open(name, size)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	allocations(t, d)

	begun := time.Now()
	locked, err := hostmem.NewBuffer(device.LockerOf(d), size)
	if err != nil || locked.LockError != nil {
		t.Fatal(err, locked.LockError)
	}
	defer locked.Close()
	t.Logf("map, touch and page-lock %d MiB: %v", size>>20, time.Since(begun))
	pageable, err := hostmem.Map(size)
	if err != nil {
		t.Fatal(err)
	}
	defer hostmem.Unmap(pageable)

	m, err := d.Allocate(size)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Free()
	for _, c := range []struct {
		parts   []int
		threads []int
		name    string
		from    []byte
		touch   bool
	}{
		{[]int{size}, []int{1}, "page-locked", locked.Bytes, false},
		{[]int{1 << 20, 4 << 20, 16 << 20}, []int{1, 2, 4, 16}, "page-locked", locked.Bytes, false},
		{[]int{size, 64 << 20, 8 << 20, 2 << 20}, []int{1, 4}, "pageable", pageable, false},
		{[]int{size, 64 << 20, 8 << 20, 2 << 20}, []int{1, 4}, "mapped", nil, false},
		{[]int{64 << 20, 8 << 20, 2 << 20}, []int{1, 4}, "mapped, touched", nil, true},
	} {
		if c.from == nil && os.Getenv("SLLMQ_BENCH_FILE") == "" {
			continue
		}
		for _, threads := range c.threads {
			for _, part := range c.parts {
				if part == size && threads > 1 {
					continue
				}
				var rates []float64
				for range 5 {
					rates = append(rates, rateOf(t, m, c.from, size, part, threads, c.touch))
				}
				slices.Sort(rates)
				t.Logf("%-16s %2d threads, parts of %4d MiB: median %6.2f GB/s, best %6.2f", c.name, threads, part>>20, rates[2], rates[4])
			}
		}
	}
}

// allocations measures allocating and freeing.
func allocations(t *testing.T, d device.Device) {
	for _, size := range []int64{1 << 20, 256 << 20, 2632 << 20, 16 << 30} {
		var took, freed []time.Duration
		for range 5 {
			begun := time.Now()
			m, err := d.Allocate(size)
			if errors.Is(err, device.ErrTooSmall) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(begun))
			begun = time.Now()
			if err := m.Free(); err != nil {
				t.Fatal(err)
			}
			freed = append(freed, time.Since(begun))
		}
		t.Logf("allocate %6d MiB: %v, free: %v", size>>20, took, freed)
	}
}

// rateOf returns the GB/s of copying size bytes in parts. If from is nil, they come
// from a new mapping of the file.
func rateOf(t *testing.T, m device.Memory, from []byte, size, part, threads int, touch bool) float64 {
	if from == nil {
		f, err := os.Open(os.Getenv("SLLMQ_BENCH_FILE"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		size = min(size, int(info.Size()))
		if from, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Munmap(from) }()
	}
	var next atomic.Int64
	var failures []string
	var mu sync.Mutex
	var wg sync.WaitGroup
	begun := time.Now()
	for range threads {
		wg.Go(func() {
			for {
				at := int(next.Add(int64(part))) - part
				if at >= size {
					return
				}
				b := from[at:min(at+part, size)]
				if touch {
					sum := int64(0)
					for i := 0; i < len(b); i += 4096 {
						sum += int64(b[i])
					}
					touched.Add(sum)
				}
				if err := m.Write(int64(at), b); err != nil {
					mu.Lock()
					failures = append(failures, err.Error())
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	err := m.Sync()
	took := time.Since(begun)
	if err != nil || len(failures) > 0 {
		t.Fatal(fmt.Sprint(err), strings.Join(failures, "; "))
	}
	return float64(size) / 1e9 / took.Seconds()
}

// touched keeps the compiler from removing the reads.
var touched atomic.Int64
