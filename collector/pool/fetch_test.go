package pool_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"testing"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/pool"
	"github.com/sllmq/sllmq/collector/stage"
)

func opener(c *checkpoint.Checkpoint) pool.Opener {
	return func() (directio.Files, error) {
		var paths []string
		var sizes []int64
		for i, f := range c.Files {
			paths, sizes = append(paths, c.Path(i)), append(sizes, f.Size)
		}
		return directio.OpenAll(paths, sizes, true)
	}
}

func fetch(t *testing.T, p *pool.Pool, c *checkpoint.Checkpoint) *pool.Fetched {
	t.Helper()
	f, err := p.Fetch(context.Background(), c, opener(c), stage.Begin())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// delivered compares what a fetch delivers with want.
func delivered(t *testing.T, f *pool.Fetched, want [][]byte) {
	t.Helper()
	got := make([][]byte, len(want))
	for i := range want {
		got[i] = make([]byte, len(want[i]))
	}
	err := f.Deliver(context.Background(), stage.Begin(), func(file int, offset int64, b []byte) error {
		copy(got[file][offset:], b)
		return nil
	})
	if err != nil {
		t.Error(err)
		return
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("file %d: wrong bytes were delivered", i)
		}
	}
}

func TestManyUsersDeliverWhatIsReadOnce(t *testing.T) {
	p := open(t, pool.Options{Bytes: 64 * chunk})
	c, in := files(t, 30*chunk+5, 1, 20*chunk)
	var wg sync.WaitGroup
	var mu sync.Mutex
	readers := 0
	for range 64 {
		wg.Go(func() {
			f := fetch(t, p, c)
			defer f.Release()
			if !f.Hit && !f.Joined {
				mu.Lock()
				readers++
				mu.Unlock()
			}
			delivered(t, f, in)
		})
	}
	wg.Wait()
	if readers != 1 {
		t.Errorf("%d of 64 read the files", readers)
	}
	f := fetch(t, p, c)
	if !f.Hit {
		t.Error("the model did not stay in the pool")
	}
	if err := f.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	delivered(t, f, in)
	f.Release()
	// Load finds what Fetch has read, and vice versa.
	if loaded, _ := load(t, p, c, in); !loaded.Hit {
		t.Error("Load missed what Fetch has read")
	}
	if present, err := p.Drop(c.Dir); !present || err != nil {
		t.Errorf("drop: %v, %v", present, err)
	}
	load(t, p, c, in)
	f = fetch(t, p, c)
	if !f.Hit {
		t.Error("Fetch missed what Load has read")
	}
	f.Release()
}

func TestAFetchedModelStaysUntilRelease(t *testing.T) {
	p := open(t, pool.Options{Bytes: 4 * chunk})
	a, inA := files(t, 3*chunk)
	b, inB := files(t, 2*chunk)
	held := fetch(t, p, a)
	if err := held.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !held.Direct() {
		t.Log("O_DIRECT was not in force")
	}
	if _, err := p.Fetch(t.Context(), b, opener(b), stage.Begin()); !errors.Is(err, pool.ErrBusy) {
		t.Errorf("fetch without room: %v, want ErrBusy", err)
	}
	if _, err := p.Drop(a.Dir); !errors.Is(err, pool.ErrBusy) {
		t.Errorf("drop: %v, want ErrBusy", err)
	}
	if n := p.Clear(); n != 1 {
		t.Errorf("%d in use, want 1", n)
	}
	delivered(t, held, inA)
	held.Release()
	f := fetch(t, p, b)
	if f.Evicted != 3*chunk {
		t.Errorf("%d bytes were evicted", f.Evicted)
	}
	delivered(t, f, inB)
	f.Release()
	if n := p.Clear(); n != 0 {
		t.Errorf("%d in use, want 0", n)
	}
	if models, free := p.Usage(); models != 0 || free != 4*chunk {
		t.Errorf("%d models and %d bytes free", models, free)
	}
}

func TestAFetchThatCannotSucceedFailsAtOnce(t *testing.T) {
	p := open(t, pool.Options{Bytes: 4 * chunk, Stream: true})
	large, _ := files(t, 5*chunk)
	if _, err := p.Fetch(t.Context(), large, opener(large), stage.Begin()); !errors.Is(err, pool.ErrTooSmall) {
		t.Errorf("error %v, want ErrTooSmall", err)
	}
	lost, _ := files(t, chunk)
	if err := os.Remove(lost.Path(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Fetch(t.Context(), lost, opener(lost), stage.Begin()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want the one of opening", err)
	}
	if models, free := p.Usage(); models != 0 || free != 4*chunk {
		t.Errorf("%d models and %d bytes free", models, free)
	}
}

// All users of a fetch that fails get its error, and its chunks are free only when
// all have released it.
func TestAFailedFetchFailsForAllUsers(t *testing.T) {
	p := open(t, pool.Options{Bytes: 4 * chunk})
	short, _ := files(t, 3*chunk)
	if err := os.Truncate(short.Path(0), chunk); err != nil {
		t.Fatal(err)
	}
	var held []*pool.Fetched
	for range 3 {
		f := fetch(t, p, short)
		held = append(held, f)
		if err := f.Wait(t.Context()); err == nil {
			t.Error("a truncated file was read")
		}
		if err := f.Deliver(t.Context(), stage.Begin(), func(int, int64, []byte) error { return nil }); err == nil {
			t.Error("a truncated file was delivered")
		}
		if len(held) == 1 {
			if _, free := p.Usage(); free != chunk {
				t.Errorf("%d bytes are free while the failed fetch is in use", free)
			}
		}
		f.Release()
	}
	if models, free := p.Usage(); models != 0 || free != 4*chunk {
		t.Errorf("%d models and %d bytes free", models, free)
	}
}

func TestAFetchEndsWithItsContext(t *testing.T) {
	p := open(t, pool.Options{Bytes: 64 * chunk})
	c, in := files(t, 60*chunk)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, err := p.Fetch(ctx, c, opener(c), stage.Begin())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Wait(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	f.Release()
	f = fetch(t, p, c)
	delivered(t, f, in)
	f.Release()
}
