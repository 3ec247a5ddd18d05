package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sllmq/sllmq/internal/filelock"
)

// lockName is the file whose lock protects a folder of replicas.
const lockName = ".lock"

// lockFolder waits until no other process writes or removes replicas in dir.
// Closing the file releases the lock.
func lockFolder(ctx context.Context, dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	f, err := filelock.Lock(ctx, path)
	if err == nil {
		return f, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("wait for another process to leave %s: %w", path, err)
	}
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return nil, writeError(path, cause(err))
	}
	return nil, err
}
