package inference

// #cgo CFLAGS: -O3
// #include "kernel.h"
import "C"

import (
	"sync"
	"unsafe"
)

// team is a group of threads that share the rows of a product. The value of a
// row does not depend on the thread that computes it.
type team struct {
	jobs   []chan func(part, parts int)
	done   sync.WaitGroup
	kernel kernel
}

// kernel is an implementation of products.
type kernel int32

const (
	plainKernel  kernel = C.SLLMQ_PLAIN
	avx2Kernel   kernel = C.SLLMQ_AVX2
	avx512Kernel kernel = C.SLLMQ_AVX512
	neonKernel   kernel = C.SLLMQ_NEON
)

// kernels returns the implementations for this processor, the best one last.
func kernels() []kernel {
	best := kernel(C.sllmq_best())
	list := []kernel{plainKernel}
	if best == avx512Kernel {
		list = append(list, avx2Kernel)
	}
	if best != plainKernel {
		list = append(list, best)
	}
	return list
}

func newTeam(threads int) *team {
	t := &team{kernel: kernel(C.sllmq_best())}
	for i := 1; i < threads; i++ {
		jobs := make(chan func(part, parts int))
		t.jobs = append(t.jobs, jobs)
		go func() {
			for job := range jobs {
				job(i, threads)
				t.done.Done()
			}
		}()
	}
	return t
}

func (t *team) close() {
	for _, jobs := range t.jobs {
		close(jobs)
	}
}

// run calls job once per thread, with the thread's number and the number of
// threads, and waits for all.
func (t *team) run(job func(part, parts int)) {
	t.done.Add(len(t.jobs))
	for _, jobs := range t.jobs {
		jobs <- job
	}
	job(0, len(t.jobs)+1)
	t.done.Wait()
}

// multiply computes out[i] = m · x[i] + bias for n vectors: m is rows × cols, x
// is n × cols and out is n × rows. bias has rows values or is nil.
func (t *team) multiply(out []float32, m matrix, x []float32, n int, bias []float32) {
	// The C code does not check bounds.
	_, _ = x[:n*m.cols], out[:n*m.rows]
	part := func(i, parts int) {
		begin, end := m.rows*i/parts, m.rows*(i+1)/parts
		if begin == end {
			return
		}
		C.sllmq_rows(unsafe.Pointer(unsafe.SliceData(m.data)), C.int32_t(m.kind), C.int64_t(m.cols), C.int64_t(begin), C.int64_t(end),
			(*C.float)(unsafe.SliceData(x)), C.int64_t(n), (*C.float)(unsafe.SliceData(out)), C.int64_t(m.rows), C.int32_t(t.kernel))
		for v := 0; bias != nil && v < n; v++ {
			row := out[v*m.rows:]
			for r := begin; r < end; r++ {
				row[r] += bias[r]
			}
		}
	}
	// A small product takes less time than waking a thread.
	if int64(m.rows)*int64(m.cols)*int64(n) < 1<<15 {
		part(0, 1)
		return
	}
	t.run(part)
}
