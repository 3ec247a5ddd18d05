package worker

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/loader"
)

// verify holds every tensor on the device against the checksum that its source
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
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range runtime.NumCPU() {
		g.Go(func() error {
			var buffer []byte
			for {
				i := int(next.Add(1)) - 1
				if i >= len(tensors) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				t := tensors[i]
				want, ok := digests[t.Name]
				if !ok {
					return fmt.Errorf("verify %s: tensor %s is not in the source", dir, t.Name)
				}
				if int64(cap(buffer)) < t.Size {
					buffer = make([]byte, t.Size)
				}
				if err := l.Read(t, buffer[:t.Size]); err != nil {
					return fmt.Errorf("verify %s: tensor %s: %w", dir, t.Name, err)
				}
				if got := checkpoint.Checksum(buffer[:t.Size]); got != want {
					return fmt.Errorf("verify %s: tensor %s has checksum %016x on the device and %016x at the source", dir, t.Name, got, want)
				}
			}
		})
	}
	return g.Wait()
}
