package collector

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/machine"
)

// touchMemory prepares a cold load through the page cache in a virtual machine,
// and returns how many bytes were touched, nil for none.
//
// Free memory of such a machine need not be there: the host gives it when it is
// touched for the first time, and takes it back where the balloon reports free
// pages. So a load's time would depend on how long ago the pages were dropped that
// it fills: on one machine 0.3 s at once and 1.5 to 5 s after eight seconds, the
// storage being RAM. Pools and host devices are touched before the clock too.
func (r *run) touchMemory(ctx context.Context, files []string) *int64 {
	if !r.arm.TouchMemory || r.machine.Hypervisor == nil {
		return nil
	}
	var bytes int64
	for _, path := range files {
		if info, err := os.Stat(path); err == nil { // what is not there fails the load
			bytes += info.Size()
		}
	}
	touched, err := TouchFreeMemory(ctx, bytes+bytes/8)
	if err != nil && ctx.Err() == nil {
		r.progress.Note(fmt.Sprintf("free memory is not touched before the load: %v", err))
		return nil
	}
	return &touched
}

// touches says which loads that is.
func touches(technique loader.Technique, pageCache string) bool {
	return technique.Mapped && pageCache == PageCacheDrop
}

// TouchFreeMemory touches so many bytes of free memory, or as many as can be spared,
// and gives them back at once: whoever takes memory next gets those.
func TouchFreeMemory(ctx context.Context, bytes int64) (touched int64, err error) {
	const spare = 512 << 20 // for everybody else
	free, err := machine.FreeMemory()
	if err != nil {
		return 0, err
	}
	const part = 256 << 20 // between looks at ctx, since the host may take seconds
	var held [][]byte
	defer func() {
		for _, b := range held {
			err = errors.Join(err, hostmem.Unmap(b))
		}
		err = errors.Join(err, forgetPeak())
	}()
	for bytes = min(bytes, free-spare); touched < bytes; {
		b, err := hostmem.Map(min(part, bytes-touched))
		if err != nil {
			return touched, err
		}
		held = append(held, b)
		touched += int64(len(b))
		if ctx.Err() != nil {
			return touched, ctx.Err()
		}
	}
	return touched, nil
}

// forgetPeak makes this process's peak of memory what it holds now: workers that
// are started later would inherit it as theirs.
func forgetPeak() error {
	const peak = "5" // proc_pid_clear_refs(5)
	err := os.WriteFile("/proc/self/clear_refs", []byte(peak), 0)
	if os.IsNotExist(err) || os.IsPermission(err) {
		return nil // a kernel without it, or a sandbox: the peak is too high then
	}
	return err
}
