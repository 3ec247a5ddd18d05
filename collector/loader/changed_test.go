package loader_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/stage"
)

// A pooled model is not used once one of its files has changed. ServerlessLLM's
// store keeps returning the old bytes.
func TestChangedFilesAreReadAgain(t *testing.T) {
	each(t, func(t *testing.T, a arm) {
		if !a.technique.Pooled {
			t.Skip("keeps nothing between loads")
		}
		l := open(t, a, a.open(t, 16<<20))
		files := checkpoints()["several files"]
		dir := write(t, t.TempDir(), a.format, files)
		hit := func(files [][]tensor, want bool) {
			t.Helper()
			loaded, err := l.Load(t.Context(), dir, stage.Begin())
			if err != nil {
				t.Fatal(err)
			}
			check(t, loaded, files)
			if err := errors.Join(loaded.Explain(t.Context()), loaded.Free()); err != nil {
				t.Fatal(err)
			}
			if *loaded.PoolHit != want {
				t.Errorf("found in the pool: %v, want %v", *loaded.PoolHit, want)
			}
		}
		hit(files, false)
		hit(files, true)
		time.Sleep(20 * time.Millisecond) // one tick of the filesystem's clock before Linux 6.13
		c, err := checkpoint.Open(dir, a.format)
		if err != nil {
			t.Fatal(err)
		}
		files[0][0].Data = bytes.Clone(files[0][0].Data)
		files[0][0].Data[1] ^= 1
		// Written in place, with its time restored.
		whole, err := os.ReadFile(c.Path(0))
		if err != nil {
			t.Fatal(err)
		}
		whole[c.Tensors[0].Offset+1] ^= 1
		info, err := os.Stat(c.Path(0))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, c.Path(0), whole)
		if err := os.Chtimes(c.Path(0), info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		hit(files, false)
		hit(files, true)
		// Replaced by a copy of the same size and time.
		files[0][0].Data[0] ^= 1
		whole[c.Tensors[0].Offset] ^= 1
		writeFile(t, c.Path(0)+".new", whole)
		if err := errors.Join(os.Chtimes(c.Path(0)+".new", info.ModTime(), info.ModTime()), os.Rename(c.Path(0)+".new", c.Path(0))); err != nil {
			t.Fatal(err)
		}
		hit(files, false)
		hit(files, true)
	})
}
