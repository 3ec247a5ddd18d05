package loader_test

import (
	"errors"
	"testing"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/collector/stage"
)

// A pooled model goes to a GPU in one copy per contiguous part, both from this
// process's pool and from a store's.
func TestAPooledModelGoesToAGPUInOneCopy(t *testing.T) {
	library := cudatest.Build(t, "")
	driver, err := cuda.Open(library.Path)
	if err != nil {
		t.Fatal(err)
	}
	const count = 80 // MiB, in chunks of 64 KiB
	for _, name := range []string{"pool", "store"} {
		t.Run(name, func(t *testing.T) {
			technique, err := loader.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			d := openGPU(t, library, driver, count<<20, 0)
			l := open(t, arm{technique: technique, format: checkpoint.SLLM, gpu: true, driver: driver}, d)
			dir, _ := sparse(t, checkpoint.SLLM, count)
			copies := func() uint64 {
				t.Helper()
				before := library.Copies()
				loaded, err := l.Load(t.Context(), dir, stage.Begin())
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(loaded.Explain(t.Context()), loaded.Free()); err != nil {
					t.Error(err)
				}
				return library.Copies() - before
			}
			// A store may have read the whole model before it is asked for the GPU.
			if n := copies(); name == "pool" && n < count<<20/(64<<10) {
				t.Errorf("%d copies of a model that is being read, want one per request", n)
			}
			if n := copies(); n != 1 {
				t.Errorf("%d copies of a model that is contiguous in the pool, want 1", n)
			}
		})
	}
}
