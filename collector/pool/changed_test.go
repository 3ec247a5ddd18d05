package pool_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/pool"
	"github.com/sllmq/sllmq/collector/stage"
)

// partitions writes a checkpoint's partitions and opens it as loaders do.
func partitions(t *testing.T, dir string, content ...[]byte) *checkpoint.Checkpoint {
	t.Helper()
	for i, b := range content {
		if err := os.WriteFile(filepath.Join(dir, "tensor.data_"+string(rune('0'+i))), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return look(t, dir)
}

func look(t *testing.T, dir string) *checkpoint.Checkpoint {
	t.Helper()
	found, err := checkpoint.Partitions(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return &checkpoint.Checkpoint{Dir: dir, Format: checkpoint.SLLM, Files: found}
}

// changes are changes of a file whose bytes are in the pool. Each returns the new
// content.
func changes(t *testing.T) map[string]func(path string, old []byte) []byte {
	other := func(old []byte) []byte {
		b := bytes.Clone(old)
		for i := range b {
			b[i] ^= 0x5a
		}
		return b
	}
	do := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return map[string]func(path string, old []byte) []byte{
		"replaced by rename": func(path string, old []byte) []byte {
			b := other(old)
			do(os.WriteFile(path+".new", b, 0o644), os.Rename(path+".new", path))
			return b
		},
		"rewritten in place": func(path string, old []byte) []byte {
			b := other(old)
			do(os.WriteFile(path, b, 0o644))
			return b
		},
		"a byte written and the time restored": func(path string, old []byte) []byte {
			info, err := os.Stat(path)
			do(err)
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			do(err)
			_, err = f.WriteAt([]byte{^old[7]}, 7)
			do(err, f.Close(), os.Chtimes(path, info.ModTime(), info.ModTime()))
			b := bytes.Clone(old)
			b[7] = ^b[7]
			return b
		},
		"truncated": func(path string, old []byte) []byte {
			do(os.Truncate(path, int64(len(old)-7)))
			return old[:len(old)-7]
		},
		"extended": func(path string, old []byte) []byte {
			b := append(other(old), old...)
			do(os.WriteFile(path, b, 0o644))
			return b
		},
	}
}

// tick waits for the next tick of the filesystem's clock, which is this coarse
// before Linux 6.13.
func tick() { time.Sleep(20 * time.Millisecond) }

// Neither Load nor Fetch uses a model's old bytes.
func TestChangedFilesAreReadAgain(t *testing.T) {
	fetched := func(t *testing.T, p *pool.Pool, c *checkpoint.Checkpoint, want [][]byte) bool {
		f := fetch(t, p, c)
		defer f.Release()
		delivered(t, f, want)
		return f.Hit
	}
	loaded := func(t *testing.T, p *pool.Pool, c *checkpoint.Checkpoint, want [][]byte) bool {
		l, _ := load(t, p, c, want)
		return l.Hit
	}
	for way, ask := range map[string]func(*testing.T, *pool.Pool, *checkpoint.Checkpoint, [][]byte) bool{"Load": loaded, "Fetch": fetched} {
		for name, change := range changes(t) {
			t.Run(name+", "+way, func(t *testing.T) {
				p := open(t, pool.Options{Bytes: 16 * chunk})
				_, content := files(t, 3*chunk-5, 2*chunk)
				c := partitions(t, t.TempDir(), content...)
				if ask(t, p, c, content) {
					t.Error("a hit before the first load")
				}
				if !ask(t, p, look(t, c.Dir), content) {
					t.Error("unchanged files were read again")
				}
				tick()
				content[1] = change(c.Path(1), content[1])
				c = look(t, c.Dir)
				if _, ok := p.Resident(c); ok {
					t.Error("the old bytes are resident for the new files")
				}
				if ask(t, p, c, content) {
					t.Error("a hit on the old bytes")
				}
				if !ask(t, p, c, content) {
					t.Error("the new bytes were not kept")
				}
				if models, free := p.Usage(); models != 1 || free > 11*chunk {
					t.Errorf("%d models and %d bytes free", models, free)
				}
				if p.Clear(); p.Evictions() != 0 {
					t.Error("a changed model counts as evicted")
				}
				if _, free := p.Usage(); free != 16*chunk {
					t.Errorf("%d bytes of an empty pool are free", free)
				}
			})
		}
	}
}

// A user of the old bytes keeps them; later ones get the new bytes.
func TestFilesThatChangeWhileTheirBytesAreInUse(t *testing.T) {
	p := open(t, pool.Options{Bytes: 8 * chunk})
	_, content := files(t, 3*chunk)
	c := partitions(t, t.TempDir(), content...)
	held := fetch(t, p, c)
	if err := held.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	tick()
	changed := [][]byte{changes(t)["replaced by rename"](c.Path(0), content[0])}
	c = look(t, c.Dir)
	f := fetch(t, p, c)
	if f.Hit || f.Joined {
		t.Error("a hit on the old bytes")
	}
	delivered(t, f, changed)
	delivered(t, held, content)
	if _, free := p.Usage(); free != 2*chunk {
		t.Errorf("%d bytes are free beside both models", free)
	}
	f.Release()
	if err := p.Close(); err == nil {
		t.Error("the pool was closed while bytes are in use")
	}
	held.Release()
	if models, free := p.Usage(); models != 1 || free != 5*chunk {
		t.Errorf("%d models and %d bytes free", models, free)
	}
}

// once returns a Deliver that calls act with the first bytes.
func once(act func()) pool.Deliver {
	var o sync.Once
	return func(int, int64, []byte) error {
		o.Do(act)
		return nil
	}
}

// A load whose files change meanwhile is not a hit for the next.
func TestFilesThatChangeWhileTheyAreRead(t *testing.T) {
	p := open(t, pool.Options{Bytes: 8 * chunk})
	_, content := files(t, 3*chunk)
	c := partitions(t, t.TempDir(), content...)
	var changed [][]byte
	_, err := p.Load(t.Context(), c, opener(c), stage.Begin(), once(func() {
		tick()
		changed = [][]byte{changes(t)["rewritten in place"](c.Path(0), content[0])}
		// Another load does not wait for the old bytes.
		if l, _ := load(t, p, look(t, c.Dir), changed); l.Hit {
			t.Error("a hit on bytes that are being read")
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if l, _ := load(t, p, look(t, c.Dir), changed); !l.Hit {
		t.Error("the new bytes were not kept")
	}
	if models, free := p.Usage(); models != 1 || free != 5*chunk {
		t.Errorf("%d models and %d bytes free", models, free)
	}
}
