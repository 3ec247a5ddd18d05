package stage_test

import (
	"sync"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/stage"
)

func TestChunksAreKeptIfTraced(t *testing.T) {
	clock := stage.Begin()
	clock.Chunk(stage.Chunk{Bytes: 1})
	if n := len(clock.Chunks()); n != 0 {
		t.Errorf("%d chunks without Trace", n)
	}
	clock.Trace()
	clock.Chunk(stage.Chunk{File: 1, Offset: 2, Bytes: 3})
	if c := clock.Chunks(); len(c) != 1 || c[0].Bytes != 3 {
		t.Errorf("%+v", c)
	}
}

func TestPartsWithOneNameAreOneStage(t *testing.T) {
	clock := stage.Begin()
	clock.Start("open")(0)
	var wg sync.WaitGroup
	for range 4 {
		end := clock.Start("read")
		wg.Go(func() {
			time.Sleep(2 * time.Millisecond)
			end(10)
		})
	}
	wg.Wait()
	stages := clock.Stages()
	if len(stages) != 2 || stages[0].Name != "open" || stages[1].Name != "read" {
		t.Fatalf("stages %+v", stages)
	}
	read := stages[1]
	if read.Bytes != 40 {
		t.Errorf("%d bytes, want 40", read.Bytes)
	}
	// Four overlapping parts are busy for longer than they take together.
	if wall := read.End - read.Start; read.Busy <= wall || read.End > clock.Elapsed() {
		t.Errorf("busy %v in %v of %v", read.Busy, wall, clock.Elapsed())
	}
}

// A load has thousands of parts, and measuring them must not cause garbage
// collections.
func TestAddDoesNotAllocate(t *testing.T) {
	clock := stage.Begin()
	if n := testing.AllocsPerRun(100, func() { clock.Add("read", clock.Elapsed(), 10) }); n != 0 {
		t.Errorf("%v allocations per part", n)
	}
	if s := clock.Stages(); len(s) != 1 || s[0].Bytes != 1010 {
		t.Errorf("stages %+v", s)
	}
}
