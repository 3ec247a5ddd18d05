package roofline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sllmq/sllmq/collector/hostmem"
)

// copyPart is what a thread copies before it looks for more, well above the
// caches of a core.
const copyPart = 8 << 20

// Memory copies memory that is there already.
type Memory struct{ from, to []byte }

// OpenMemory takes two regions of so many bytes.
func OpenMemory(bytes int64) (*Memory, error) {
	from, err := hostmem.Map(bytes)
	if err != nil {
		return nil, fmt.Errorf("measure the memory: %w", err)
	}
	to, err := hostmem.Map(bytes)
	if err != nil {
		return nil, fmt.Errorf("measure the memory: %w", errors.Join(err, hostmem.Unmap(from)))
	}
	// Pages of zeros may be one and the same page.
	for i := 0; i < len(from); i += 512 {
		from[i] = byte(i >> 9)
	}
	return &Memory{from, to}, nil
}

// Copy measures how long it takes to copy the whole once on so many threads.
func (m *Memory) Copy(ctx context.Context, threads int) (Measurement, error) {
	if err := ctx.Err(); err != nil {
		return Measurement{}, err
	}
	parts := make(chan int, len(m.from)/copyPart+1)
	for at := 0; at < len(m.from); at += copyPart {
		parts <- at
	}
	close(parts)
	var wg sync.WaitGroup
	begun := time.Now()
	for range threads {
		wg.Go(func() {
			for at := range parts {
				end := min(at+copyPart, len(m.from))
				copy(m.to[at:end], m.from[at:end])
			}
		})
	}
	wg.Wait()
	return Measurement{Kind: MemoryCopy, Method: "copy, huge pages", Threads: threads, Bytes: int64(len(m.from)), Took: time.Since(begun)}, nil
}

// Close gives the memory back.
func (m *Memory) Close() error { return errors.Join(hostmem.Unmap(m.from), hostmem.Unmap(m.to)) }
