package collector

import (
	"context"
	"fmt"
	"os"

	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/warehouse/record"
)

// touches reports whether free memory is touched before a load: a cold load
// through the page cache in a virtual machine.
//
// Free memory of a virtual machine may not be backed. The host provides it when it
// is first touched, and takes it back where the balloon reports free pages. A
// load's time would then depend on how long ago the pages that it fills were
// dropped: on one machine 0.3 s immediately and 1.5 to 5 s after eight seconds,
// with storage in RAM. Pools and host devices are touched before the clock starts
// for the same reason.
func touches(technique loader.Technique, pageCache string, here record.Machine) bool {
	return technique.Mapped && pageCache == PageCacheDrop && here.Hypervisor != nil
}

// touchMemory touches memory for a load of files if the plan says so. It returns
// how many bytes, nil for none.
func (r *run) touchMemory(ctx context.Context, files []string) *int64 {
	if !r.planned.TouchMemory {
		return nil
	}
	var bytes int64
	for _, path := range files {
		if info, err := os.Stat(path); err == nil { // a missing file fails the load
			bytes += info.Size()
		}
	}
	touched, err := machine.TouchFree(ctx, bytes+bytes/8)
	if err != nil && ctx.Err() == nil {
		r.bench.progress.Note(fmt.Sprintf("free memory is not touched before the load: %v", err))
		return nil
	}
	return &touched
}
