package roofline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/hostmem"
)

// The kinds of memory that a GPU is filled from, as values of
// Measurement.Method.
const (
	PageLocked = "page-locked"
	Pageable   = "pageable"
)

// measureLink measures copies from the host to a GPU, or to several at once, from
// page-locked and from pageable memory.
func measureLink(ctx context.Context, name string, bytes int64) (all []Measurement, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("measure copies to %s: %w", name, err)
		}
	}()
	d, err := device.Open(name, bytes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	to, gpus, err := allocateEvenly(d, bytes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.Free()) }()
	locked, err := hostmem.NewBuffer(device.LockerOf(d), bytes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, locked.Close()) }()
	pageable, err := hostmem.Map(bytes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, hostmem.Unmap(pageable)) }()
	from := map[string][]byte{Pageable: pageable}
	if locked.LockError == nil {
		from[PageLocked] = locked.Bytes
	}
	for _, method := range []string{PageLocked, Pageable} {
		if from[method] == nil {
			continue
		}
		best, err := bestOf(copyTrials, func() (Measurement, error) {
			took, err := copyOver(ctx, to, from[method][:bytes], gpus)
			return Measurement{Kind: HostToDevice, Method: method, Threads: gpus, Bytes: bytes, Took: took}, err
		})
		if err != nil {
			return all, err
		}
		all = append(all, best)
	}
	return all, nil
}

// allocateEvenly allocates bytes, an equal share on each of the device's GPUs, and
// returns how many those are.
func allocateEvenly(d device.Device, bytes int64) (device.Memory, int, error) {
	s, ok := d.(device.Spreader)
	if !ok {
		m, err := d.Allocate(bytes)
		return m, 1, err
	}
	n := s.GPUs()
	var parts []device.Part
	for i := range n {
		begin, end := share(bytes, i, n)
		parts = append(parts, device.Part{Offset: begin, Bytes: end - begin, GPU: i})
	}
	m, err := s.AllocateParts(parts)
	return m, n, err
}

// share returns part i of n equal parts of bytes.
func share(bytes int64, i, n int) (begin, end int64) {
	return bytes * int64(i) / int64(n), bytes * int64(i+1) / int64(n)
}

// copyOver measures one copy of b, each GPU's share at the same time.
func copyOver(ctx context.Context, to device.Memory, b []byte, gpus int) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	errs := make([]error, gpus)
	var wg sync.WaitGroup
	begun := time.Now()
	for i := range gpus {
		wg.Go(func() {
			begin, end := share(int64(len(b)), i, gpus)
			errs[i] = to.Write(begin, b[begin:end])
		})
	}
	wg.Wait()
	err := errors.Join(append(errs, to.Sync())...)
	return time.Since(begun), err
}
