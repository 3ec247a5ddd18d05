// Package workqueue runs a known number of independent items on a fixed number
// of workers.
//
// Nobody assigns items in advance: each worker takes the next one when it has
// finished its last, so that a slow item delays no other. That is how loaders
// keep a constant number of reads in flight, and how checksums and copies use
// every CPU.
package workqueue

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Run calls do once for every item from 0 to items-1, on up to the given number
// of workers (at least one), and returns when no call is running any more. The
// worker number, from 0, lets do use a buffer of its own: calls with the same
// number never overlap.
//
// After the first error, or once ctx is done, workers finish the item that they
// are at and take no other. Run then returns that error, or the context's. The
// context that do receives ends with the first error.
//
// Run allocates per worker, not per item. A panic in do is not recovered.
func Run(ctx context.Context, items, workers int, do func(ctx context.Context, item, worker int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for worker := range min(max(1, workers), items) {
		g.Go(func() error {
			for {
				item := int(next.Add(1)) - 1
				if item >= items {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(ctx, item, worker); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}
