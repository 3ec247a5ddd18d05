package loader_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/stage"
)

// transformers 4 and safetensors' own load_file map one file at a time, transformers
// 5 all of them. Either way, the stages open and close do not span the load.
func TestFilesAreMappedAsInPython(t *testing.T) {
	var files [][]tensor
	for _, name := range []string{"a", "b", "c"} {
		files = append(files, []tensor{bytesOf(name, checkpoint.UInt8, 800_000)})
	}
	dir := write(t, t.TempDir(), checkpoint.SafeTensors, files)
	for name, want := range map[string]int{"mmap": 1, "pinned": 1, "mmap-parallel": len(files)} {
		t.Run(name, func(t *testing.T) {
			technique, err := loader.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			d := &hooked{Device: openHost(t, 4<<20)}
			mapped := -1 // in the middle of the load
			d.act = func() {
				mapped = 0
				for _, what := range leftNow(t, dir) {
					if strings.HasPrefix(what, "mapping ") {
						mapped++
					}
				}
			}
			clock := stage.Begin()
			l := open(t, arm{technique: technique, format: checkpoint.SafeTensors}, d)
			loaded, err := l.Load(t.Context(), dir, clock)
			if err != nil {
				t.Fatal(err)
			}
			check(t, loaded, files)
			if mapped != want {
				t.Errorf("%d files are mapped in the middle of the load, want %d", mapped, want)
			}
			if found := left(t, dir); len(found) > 0 {
				t.Errorf("left behind: %q", found)
			}
			stages := clock.Stages()
			find := func(name string) stage.Stage {
				i := slices.IndexFunc(stages, func(s stage.Stage) bool { return s.Name == name })
				if i < 0 {
					t.Fatalf("no stage %s in %+v", name, stages)
				}
				return stages[i]
			}
			if opened, copied, closed := find("open"), find("copy"), find("close"); opened.End > copied.Start || closed.Start < copied.End {
				t.Errorf("opened %+v, copied %+v, closed %+v", opened, copied, closed)
			}
			if err := loaded.Free(); err != nil {
				t.Error(err)
			}
		})
	}
}
