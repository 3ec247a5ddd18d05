package pool_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/pool"
	"github.com/sllmq/sllmq/collector/stage"
)

const chunk = 64 << 10

func open(t testing.TB, o pool.Options) *pool.Pool {
	t.Helper()
	o.ChunkBytes = chunk
	p, err := pool.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close the pool: %v", err)
		}
	})
	return p
}

// files writes files of the given sizes and returns them as a checkpoint, with
// their content.
func files(t testing.TB, sizes ...int64) (*checkpoint.Checkpoint, [][]byte) {
	t.Helper()
	c := &checkpoint.Checkpoint{Dir: t.TempDir(), Format: checkpoint.SLLM}
	var content [][]byte
	for i, size := range sizes {
		b := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(i), byte(size)}).Read(b) // it never fails
		name := fmt.Sprint("f", i)
		if err := os.WriteFile(filepath.Join(c.Dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
		c.Files = append(c.Files, checkpoint.File{Name: name, Size: size})
		content = append(content, b)
	}
	return c, content
}

// load loads c and compares what is delivered with want.
func load(t *testing.T, p *pool.Pool, c *checkpoint.Checkpoint, want [][]byte) (pool.Loaded, []stage.Stage) {
	t.Helper()
	got := make([][]byte, len(want))
	for i := range want {
		got[i] = make([]byte, len(want[i]))
	}
	clock := stage.Begin()
	loaded, err := p.Load(t.Context(), c, opener(c), clock, func(file int, offset int64, b []byte) error {
		copy(got[file][offset:], b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("file %d: wrong bytes were delivered", i)
		}
	}
	return loaded, clock.Stages()
}

func TestTheLeastRecentlyUsedModelIsEvicted(t *testing.T) {
	p := open(t, pool.Options{Bytes: 6 * chunk})
	// Two models of three chunks each fill the pool: files never share a chunk.
	a, inA := files(t, 2*chunk-5, 1)
	b, inB := files(t, 3*chunk)
	c, inC := files(t, chunk+1)
	for step, x := range []struct {
		of      *checkpoint.Checkpoint
		in      [][]byte
		hit     bool
		evicted int64
	}{
		{a, inA, false, 0},
		{b, inB, false, 0},
		{a, inA, true, 0},
		{c, inC, false, 3 * chunk}, // evicts b
		{a, inA, true, 0},
		{b, inB, false, 2 * chunk}, // evicts c
		{a, inA, true, 0},
		{c, inC, false, 3 * chunk},
	} {
		loaded, stages := load(t, p, x.of, x.in)
		if loaded.Hit != x.hit || loaded.Evicted != x.evicted || loaded.Streamed {
			t.Errorf("step %d: %+v, want hit %v and %d bytes evicted", step, loaded, x.hit, x.evicted)
		}
		var evicted, read int64
		for _, s := range stages {
			switch s.Name {
			case "evict":
				evicted = s.Bytes
			case "read":
				read = s.Bytes
			}
		}
		if evicted != x.evicted || (read == 0) != x.hit {
			t.Errorf("step %d: the stages have %d bytes evicted and %d read", step, evicted, read)
		}
	}
	if n := p.Evictions(); n != 3 {
		t.Errorf("%d evictions, want 3", n)
	}
}

func TestAModelLargerThanThePool(t *testing.T) {
	c, in := files(t, 40*chunk+7, 1, 3*chunk)
	discard := func(int, int64, []byte) error { return nil }
	if _, err := open(t, pool.Options{Bytes: 8 * chunk}).Load(t.Context(), c, opener(c), stage.Begin(), discard); !errors.Is(err, pool.ErrTooSmall) {
		t.Errorf("error %v, want ErrTooSmall", err)
	}
	for _, chunks := range []int64{1, 3, 20} {
		p := open(t, pool.Options{Bytes: chunks * chunk, Stream: true})
		small, inSmall := files(t, 10)
		load(t, p, small, inSmall)
		for range 2 {
			if loaded, _ := load(t, p, c, in); loaded.Hit || !loaded.Streamed {
				t.Errorf("%d chunks: %+v, want it streamed", chunks, loaded)
			}
		}
		// Streaming evicts no more than it needs.
		if loaded, _ := load(t, p, small, inSmall); loaded.Hit != (chunks == 20) {
			t.Errorf("%d chunks: the small model: %+v", chunks, loaded)
		}
	}
}

func TestAModelInUseStays(t *testing.T) {
	p := open(t, pool.Options{Bytes: 4 * chunk})
	a, _ := files(t, 3*chunk)
	b, inB := files(t, 2*chunk)
	var once sync.Once
	_, err := p.Load(t.Context(), a, opener(a), stage.Begin(), func(int, int64, []byte) error {
		once.Do(func() {
			for _, c := range []*checkpoint.Checkpoint{a, b} {
				_, err := p.Load(t.Context(), c, opener(c), stage.Begin(), func(int, int64, []byte) error { return nil })
				if !errors.Is(err, pool.ErrBusy) {
					t.Errorf("error %v, want ErrBusy", err)
				}
			}
			if err := p.Close(); !errors.Is(err, pool.ErrBusy) {
				t.Errorf("close during a load: %v, want ErrBusy", err)
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	load(t, p, b, inB)
}

func TestAFailedLoadFreesItsChunks(t *testing.T) {
	p := open(t, pool.Options{Bytes: 4 * chunk})
	a, inA := files(t, 4*chunk)
	broken := errors.New("broken")
	for range 3 {
		if _, err := p.Load(t.Context(), a, opener(a), stage.Begin(), func(int, int64, []byte) error { return broken }); !errors.Is(err, broken) {
			t.Fatalf("error %v", err)
		}
	}
	if loaded, _ := load(t, p, a, inA); loaded.Hit {
		t.Error("a partly read model was found in the pool")
	}
	if _, err := p.Load(t.Context(), a, opener(a), stage.Begin(), func(int, int64, []byte) error { return broken }); !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	if loaded, _ := load(t, p, a, inA); !loaded.Hit {
		t.Error("a failed delivery removed a whole model from the pool")
	}
}

// TestAFailedCopyToOneLeavesTheModelToOthers has many users of a model at once, and
// half of the copies fail.
func TestAFailedCopyToOneLeavesTheModelToOthers(t *testing.T) {
	p := open(t, pool.Options{Bytes: 4 * chunk})
	c, in := files(t, 4*chunk)
	load(t, p, c, in)
	broken := errors.New("broken")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			var want error
			if i%2 == 0 {
				want = broken
			}
			loaded, err := p.Load(t.Context(), c, opener(c), stage.Begin(), func(int, int64, []byte) error {
				time.Sleep(time.Millisecond) // so that uses overlap
				return want
			})
			if !errors.Is(err, want) || err == nil && !loaded.Hit {
				t.Errorf("%+v, %v", loaded, err)
			}
		})
	}
	wg.Wait()
	if loaded, _ := load(t, p, c, in); !loaded.Hit || p.Evictions() > 0 {
		t.Errorf("%+v: the model was removed", loaded)
	}
}

// What a load allocates does not depend on its size.
func TestLoadingTakesNoMemoryPerRequest(t *testing.T) {
	p := open(t, pool.Options{Bytes: 8 * chunk, Stream: true})
	allocations := func(size int64) float64 {
		c, _ := files(t, size)
		return testing.AllocsPerRun(5, func() {
			loaded, err := p.Load(t.Context(), c, opener(c), stage.Begin(), func(int, int64, []byte) error { return nil })
			if err != nil || loaded.Hit {
				t.Fatalf("%+v, %v", loaded, err)
			}
		})
	}
	few, many := allocations(9*chunk), allocations(9*chunk*64)
	if many > few {
		t.Errorf("%v allocations for 9 chunks and %v for 576", few, many)
	}
	t.Logf("%v allocations for 9 chunks, %v for 576", few, many)
}

func TestAPoolHasWholeChunks(t *testing.T) {
	if p := open(t, pool.Options{Bytes: 5*chunk + 1}); p.Bytes() != 5*chunk {
		t.Errorf("the pool has %d bytes, want %d", p.Bytes(), 5*chunk)
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []pool.Options{{}, {Bytes: 1 << 20}, {Bytes: 1 << 20, ChunkBytes: 4097}, {Bytes: 1 << 20, ChunkBytes: -4096}} {
		if _, err := pool.New(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	if _, err := pool.New(pool.Options{Bytes: 4095, ChunkBytes: 4096}); !errors.Is(err, pool.ErrTooSmall) {
		t.Errorf("error %v, want ErrTooSmall", err)
	}
}
