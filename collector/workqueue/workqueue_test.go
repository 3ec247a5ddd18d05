package workqueue_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sllmq/sllmq/collector/workqueue"
)

func TestEveryItemIsDoneOnce(t *testing.T) {
	for _, c := range []struct{ items, workers, used int }{
		{0, 4, 0}, {1, 4, 1}, {3, 8, 3}, {1000, 1, 1}, {1000, 7, 7}, {5, 0, 1}, {5, -1, 1},
	} {
		done := make([]atomic.Int32, c.items)
		busy := make([]atomic.Bool, c.used)
		err := workqueue.Run(t.Context(), c.items, c.workers, func(_ context.Context, item, worker int) error {
			if worker >= c.used || !busy[worker].CompareAndSwap(false, true) {
				t.Errorf("%+v: worker %d is out of range or already busy", c, worker)
				return nil
			}
			done[item].Add(1)
			busy[worker].Store(false)
			return nil
		})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		for item := range done {
			if n := done[item].Load(); n != 1 {
				t.Errorf("%+v: item %d was done %d times", c, item, n)
			}
		}
	}
}

// With as many items as workers, each of which waits for all others, the queue
// ends only if all run at once.
func TestWorkersRunAtOnce(t *testing.T) {
	const workers = 16
	var all sync.WaitGroup
	all.Add(workers)
	err := workqueue.Run(t.Context(), workers, workers, func(context.Context, int, int) error {
		all.Done()
		all.Wait()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// One worker is held at item 0 while the other does the rest.
func TestASlowItemDelaysNoOther(t *testing.T) {
	const items = 100
	rest := make(chan struct{})
	var left atomic.Int32
	left.Store(items - 1)
	err := workqueue.Run(t.Context(), items, 2, func(_ context.Context, item, _ int) error {
		if item == 0 {
			<-rest
		} else if left.Add(-1) == 0 {
			close(rest)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTheFirstErrorWinsAndStopsTheRest(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	var begun atomic.Int32
	err := workqueue.Run(t.Context(), 1000, 2, func(ctx context.Context, item, _ int) error {
		begun.Add(1)
		if item == 0 {
			return first
		}
		<-ctx.Done() // the first error's doing
		return second
	})
	if err != first {
		t.Errorf("error %v, want the first", err)
	}
	if n := begun.Load(); n > 2 {
		t.Errorf("%d items were begun by 2 workers", n)
	}
}

func TestACancelledContextStopsTheQueue(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var running, begun atomic.Int32
	err := workqueue.Run(ctx, 1000, 4, func(context.Context, int, int) error {
		running.Add(1)
		defer running.Add(-1)
		begun.Add(1)
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	if n := begun.Load(); n < 1 || n > 4 {
		t.Errorf("%d items were begun by 4 workers", n)
	}
	if n := running.Load(); n != 0 {
		t.Errorf("%d items still run", n)
	}
	err = workqueue.Run(ctx, 10, 4, func(context.Context, int, int) error {
		t.Error("an item was begun after the context was cancelled")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

// With this variable set, TestPanicsAreNotSwallowed panics in an item.
const panics = "SLLMQ_TEST_WORKQUEUE_PANICS"

func TestPanicsAreNotSwallowed(t *testing.T) {
	if os.Getenv(panics) != "" {
		err := workqueue.Run(t.Context(), 1, 1, func(context.Context, int, int) error { panic("an item's") })
		t.Fatalf("the queue returned %v", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPanicsAreNotSwallowed$")
	cmd.Env = append(os.Environ(), panics+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: an item's") {
		t.Errorf("%v, want a process that ends with the panic:\n%s", err, out)
	}
}

func TestItemsTakeNoMemory(t *testing.T) {
	allocations := func(items int) float64 {
		return testing.AllocsPerRun(20, func() {
			if err := workqueue.Run(t.Context(), items, 4, func(context.Context, int, int) error { return nil }); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := allocations(4), allocations(4000); many > few {
		t.Errorf("%v allocations for 4 items, %v for 4000", few, many)
	}
}
