package roofline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/workqueue"
)

// copyPart is the number of bytes that a thread copies at a time, well above a
// core's caches.
const copyPart = 8 << 20

// memory is a source and a destination of copies, with every page in place.
type memory struct{ from, to []byte }

// openMemory allocates two regions of the given size.
func openMemory(bytes int64) (*memory, error) {
	from, err := hostmem.Map(bytes)
	if err != nil {
		return nil, fmt.Errorf("measure memory: %w", err)
	}
	to, err := hostmem.Map(bytes)
	if err != nil {
		return nil, fmt.Errorf("measure memory: %w", errors.Join(err, hostmem.Unmap(from)))
	}
	// The kernel may back pages of zeros by a single page.
	for i := 0; i < len(from); i += 512 {
		from[i] = byte(i >> 9)
	}
	return &memory{from, to}, nil
}

// copyAll measures copying the whole region once on the given number of threads.
func (m *memory) copyAll(ctx context.Context, threads int) (Measurement, error) {
	parts := (len(m.from) + copyPart - 1) / copyPart
	begun := time.Now()
	err := workqueue.Run(ctx, parts, threads, func(_ context.Context, i, _ int) error {
		begin, end := i*copyPart, min((i+1)*copyPart, len(m.from))
		copy(m.to[begin:end], m.from[begin:end])
		return nil
	})
	took := time.Since(begun)
	if err != nil {
		return Measurement{}, err
	}
	return Measurement{Kind: MemoryCopy, Method: "copy, huge pages", Threads: threads, Bytes: int64(len(m.from)), Took: took}, nil
}

func (m *memory) close() error { return errors.Join(hostmem.Unmap(m.from), hostmem.Unmap(m.to)) }
