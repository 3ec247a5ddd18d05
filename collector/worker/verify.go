package worker

import (
	"context"
	"fmt"
	"runtime"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/workqueue"
)

// verify compares every tensor on the device with the checksum that its source
// had when the replica was prepared.
func verify(ctx context.Context, l *loader.Loaded, dir string) error {
	digests, err := checkpoint.Digests(dir)
	if err != nil {
		return fmt.Errorf("verify %s: %w", dir, err)
	}
	tensors := l.Checkpoint.Tensors
	if len(tensors) != len(digests) {
		return fmt.Errorf("verify %s: %d tensors were loaded and the source has %d", dir, len(tensors), len(digests))
	}
	buffers := make([][]byte, runtime.NumCPU())
	return workqueue.Run(ctx, len(tensors), len(buffers), func(_ context.Context, i, worker int) error {
		t := tensors[i]
		want, ok := digests[t.Name]
		if !ok {
			return fmt.Errorf("verify %s: tensor %s is not in the source", dir, t.Name)
		}
		if int64(cap(buffers[worker])) < t.Size {
			buffers[worker] = make([]byte, t.Size)
		}
		b := buffers[worker][:t.Size]
		if err := l.Read(t, b); err != nil {
			return fmt.Errorf("verify %s: tensor %s: %w", dir, t.Name, err)
		}
		if got := checkpoint.Checksum(b); got != want {
			return fmt.Errorf("verify %s: tensor %s has checksum %016x on the device and %016x at the source", dir, t.Name, got, want)
		}
		return nil
	})
}
