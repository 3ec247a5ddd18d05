// Package doctor looks whether a machine is fit to measure on: what limits a
// loader, what makes times differ from one run to the next, and what is missing for
// the devices and engines that not everybody uses. What can be tried is tried.
package doctor

import (
	"context"
	"path/filepath"

	"github.com/sllmq/sllmq/health"
)

// Options are what the machine is to be ready for.
type Options struct {
	StoragePath string // of the replicas; its nearest parent that is there stands for it
	PoolBytes   int64  // that are to be locked
	Python      string // of the engine transformers
	// Libraries of NVIDIA's, where they are not in their usual places.
	CUDA, NVML string
}

// Look makes every check, and leaves nothing behind.
func Look(ctx context.Context, o Options) []health.Finding {
	if path, err := filepath.Abs(o.StoragePath); err == nil {
		o.StoragePath = path
	}
	list := []health.Finding{memoryLock(o.PoolBytes), memory(), hugePages()}
	list = append(list, storage(o.StoragePath)...)
	list = append(list, rings(), governor(), nodes(o.StoragePath), neighbours())
	list = append(list, gpus(o)...)
	return append(list, python(ctx, o.Python), store())
}
