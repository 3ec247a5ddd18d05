package checkpoint

import (
	"context"
	"errors"
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
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return nil, writeError(path, cause(err))
	}
	return f, err
}
