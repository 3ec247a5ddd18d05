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

// The two sorts of memory that a GPU is filled from.
const (
	PageLocked = "page-locked"
	Pageable   = "pageable"
)

// measureLink measures copies from the host to a GPU, or to several at once,
// from page-locked memory and from memory that is not.
func measureLink(ctx context.Context, name string, bytes int64) (all []Measurement, err error) {
	d, err := device.Open(name, bytes)
	if err != nil {
		return nil, fmt.Errorf("measure the way to %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	memory, gpus, err := allocateEvenly(d, bytes)
	if err != nil {
		return nil, fmt.Errorf("measure the way to %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, memory.Free()) }()
	locked, err := hostmem.NewBuffer(device.LockerOf(d), bytes)
	if err != nil {
		return nil, fmt.Errorf("measure the way to %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, locked.Close()) }()
	pageable, err := hostmem.Map(bytes)
	if err != nil {
		return nil, fmt.Errorf("measure the way to %s: %w", name, err)
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
		var best Measurement
		for range 4 { // the first wakes the link
			took, err := copyOver(ctx, memory, from[method][:bytes], gpus)
			if err != nil {
				return all, fmt.Errorf("measure the way to %s: %w", name, err)
			}
			m := Measurement{Kind: HostToDevice, Method: method, Threads: gpus, Bytes: bytes, Took: took}
			if m.BytesPerS() > best.BytesPerS() {
				best = m
			}
		}
		all = append(all, best)
	}
	return all, nil
}

// allocateEvenly reserves bytes, the same share on each of the device's GPUs.
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

// share is the part i of n of so many bytes.
func share(bytes int64, i, n int) (begin, end int64) {
	return bytes * int64(i) / int64(n), bytes * int64(i+1) / int64(n)
}

// copyOver measures one copy of all of b, to each GPU its share at once.
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
