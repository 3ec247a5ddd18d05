package machine

import (
	"context"
	"errors"
	"os"

	"github.com/sllmq/sllmq/collector/hostmem"
)

// TouchFree touches bytes of free memory, or as many as can be spared, and frees
// them at once, so that the next allocations get memory that the host has already
// provided to this virtual machine. It returns how many bytes it touched.
func TouchFree(ctx context.Context, bytes int64) (touched int64, err error) {
	const spare = 512 << 20 // for other processes
	free, err := FreeMemory()
	if err != nil {
		return 0, err
	}
	const part = 256 << 20 // between checks of ctx: the host may take seconds
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

// forgetPeak resets this process's peak memory to what it holds now. Workers
// started later would inherit the peak.
func forgetPeak() error {
	const peak = "5" // proc_pid_clear_refs(5)
	err := os.WriteFile("/proc/self/clear_refs", []byte(peak), 0)
	if os.IsNotExist(err) || os.IsPermission(err) {
		return nil // an old kernel or a sandbox: the peak stays too high
	}
	return err
}
