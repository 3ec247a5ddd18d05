package warehouse

import (
	"context"
	"path/filepath"
	"sync"
)

// The kernel's locks belong to the process: closing any descriptor of a file
// releases every lock that the process has on it (fcntl_locking(2)). If a file were
// opened twice within one process, closing it once would let other processes write
// under the other. So a process opens a file once at a time.
var openings sync.Map // from a file's path to a channel with its one ticket

// enter waits until no other goroutine has the file open. leave lets the next
// one in.
func enter(ctx context.Context, path string) (leave func(), err error) {
	name, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	made := make(chan struct{}, 1)
	made <- struct{}{}
	kept, _ := openings.LoadOrStore(name, made)
	ticket := kept.(chan struct{})
	select {
	case <-ticket:
		return sync.OnceFunc(func() { ticket <- struct{}{} }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
