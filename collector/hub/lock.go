package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sllmq/sllmq/internal/filelock"
)

// lock waits until no other process, including huggingface_hub, writes the blob
// whose lock file is at path. Closing the file releases the lock.
func lock(ctx context.Context, path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, writeError(err)
	}
	f, err := filelock.Lock(ctx, path)
	if err == nil || ctx.Err() != nil {
		return f, err
	}
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return nil, writeError(err)
	}
	return nil, fmt.Errorf("%w: set HF_HUB_CACHE to a filesystem with locks", err)
}
