// Package doctor checks whether a machine is fit to measure on: what limits
// loaders, what makes times vary from run to run, and what optional devices and
// engines lack. Whatever can be tried is tried.
package doctor

import (
	"context"
	"path/filepath"
)

// State is the result of a check.
type State string

// The states, from best to worst.
const (
	OK   State = "ok"
	None State = "none" // absent, and optional
	Warn State = "warn" // works, but measurements suffer or somebody should look
	Fail State = "fail" // unusable
)

// Finding is what one check found, in single lines of text.
type Finding struct {
	Check string `json:"check"` // what was checked
	State State  `json:"state"`
	Saw   string `json:"saw"`
	Do    string `json:"do,omitempty"` // how to improve it; empty if there is nothing to do
}

// Options are what the machine should be fit for.
type Options struct {
	StoragePath string // for replicas; need not exist yet
	PoolBytes   int64  // to lock
	Python      string // for the engine transformers
	// CUDA and NVML are paths of NVIDIA's libraries, if they are not where the
	// dynamic linker finds them.
	CUDA, NVML string
}

// Examine runs every check and leaves nothing behind. It takes about a second,
// more if a driver or a Python is slow to start.
func Examine(ctx context.Context, o Options) []Finding {
	if path, err := filepath.Abs(o.StoragePath); err == nil {
		o.StoragePath = path
	}
	list := []Finding{memoryLock(o.PoolBytes), memory(), hugePages()}
	list = append(list, storage(ctx, o.StoragePath)...)
	list = append(list, ioUring(), governor(), numa(o.StoragePath), load(ctx))
	list = append(list, gpus(ctx, o)...)
	return append(list, python(ctx, o.Python), store())
}
