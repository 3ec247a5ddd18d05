package server_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/sllmstore/server"
)

// Each test here is a situation in which ServerlessLLM's own store was seen to
// fail; its comment says how.

// Upstream sometimes copies buffers that have not been read yet, or crashes.
func TestAGPULoadRightAfterAReloadHasTheRightBytes(t *testing.T) {
	s := start(t)
	want := s.write(t, "model", 100*chunk)
	m := allocate(t, len(want))
	for i := range 80 {
		replica := fmt.Sprint("replica-", i)
		if i > 0 {
			if err := s.Unload(t.Context(), "model"); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.LoadToPool(t.Context(), "model", replica); err != nil {
			t.Fatal(err)
		}
		s.loadTo(t, m, "model", replica, want)
	}
}

// Upstream dereferences a null pointer.
func TestAGPULoadWithoutAHostLoad(t *testing.T) {
	s := start(t)
	want := s.write(t, "model", 10*chunk+3, 5)
	s.loadTo(t, allocate(t, len(want)), "model", "replica", want)
	e, err := s.Explain(t.Context(), "model", "replica")
	if err != nil || e.PoolHit {
		t.Errorf("%+v, %v: want a miss", e, err)
	}
}

// Upstream fails internally, and clients wait forever.
func TestATruncatedFileFailsTheWait(t *testing.T) {
	const size = 64 * chunk
	s := start(t)
	s.write(t, "model", size)
	m := allocate(t, size)
	file := filepath.Join(s.dir, "model", "tensor.data_0")
	// The file is whole when its size is taken, and may be short when it is read.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = os.Truncate(file, chunk)
				_ = os.Truncate(file, size)
			}
		}
	}()
	defer func() {
		close(stop)
		<-stopped
	}()
	failed := 0
	for i := 0; failed < 3; i++ {
		if i == 10_000 {
			t.Fatal("no load has failed")
		}
		replica := fmt.Sprint("replica-", i)
		if err := s.LoadToTargets(soon(t), "model", replica, m.target(whole(size))); err != nil {
			refused(t, "a file that is short when it is opened", err, codes.InvalidArgument)
			continue
		}
		if err := s.Confirm(soon(t), "model", replica); err != nil {
			refused(t, "a truncated file", err, codes.Internal)
			failed++
		} else if err := s.Unload(t.Context(), "model"); err != nil {
			t.Error(err)
		}
	}
}

func TestSizesThatAreNotMultiplesOfABlock(t *testing.T) {
	s := start(t)
	for i, sizes := range [][]int{{1}, {511}, {chunk + 1}, {1000, 513, 70_001}, {4096, 1, 4096}, {7, 0, 9}} {
		model := fmt.Sprint("model-", i)
		s.load(t, model, model, s.write(t, model, sizes...))
	}
}

// Upstream hangs.
func TestUnloadingDuringALoadIsRefused(t *testing.T) {
	g := newGate()
	s := start(t, g.options)
	want := s.write(t, "model", 10*chunk)
	m := allocate(t, len(want))
	if err := s.LoadToTargets(t.Context(), "model", "replica", m.target(whole(len(want)))); err != nil {
		t.Fatal(err)
	}
	<-g.begun
	refused(t, "unloading", s.Unload(soon(t), "model"), codes.FailedPrecondition)
	refused(t, "clearing", s.Clear(soon(t)), codes.FailedPrecondition)
	close(g.open)
	if err := s.Confirm(t.Context(), "model", "replica"); err != nil {
		t.Error(err)
	}
	if err := s.Unload(t.Context(), "model"); err != nil {
		t.Error(err)
	}
	refused(t, "unloading again", s.Unload(t.Context(), "model"), codes.NotFound)
}

// Upstream hangs.
func TestConfirmingAReplicaThatWasNeverLoaded(t *testing.T) {
	s := start(t)
	want := s.write(t, "model", chunk)
	refused(t, "none", s.Confirm(soon(t), "model", "nobody"), codes.NotFound)
	if err := s.LoadToPool(t.Context(), "model", "pool only"); err != nil {
		t.Fatal(err)
	}
	refused(t, "one of the pool", s.Confirm(soon(t), "model", "pool only"), codes.NotFound)
	s.load(t, "model", "replica", want)
	refused(t, "another model's", s.Confirm(soon(t), "other", "replica"), codes.NotFound)
}

// A wait ends with the client's deadline, and blocks no other call.
func TestAWaitBlocksNoOtherCall(t *testing.T) {
	g := newGate()
	s := start(t, g.options)
	want := s.write(t, "model", 10*chunk)
	s.write(t, "other", chunk)
	m := allocate(t, len(want))
	if err := s.LoadToTargets(t.Context(), "model", "replica", m.target(whole(len(want)))); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- s.Confirm(t.Context(), "model", "replica") }()
	if _, err := s.Describe(soon(t)); err != nil {
		t.Error(err)
	}
	if err := s.LoadToPool(soon(t), "other", ""); err != nil {
		t.Error(err)
	}
	short, cancel := deadline(t, 50*time.Millisecond)
	defer cancel()
	refused(t, "a wait with a deadline", s.Confirm(short, "model", "replica"), codes.DeadlineExceeded)
	close(g.open)
	if err := <-waiting; err != nil {
		t.Error(err)
	}
}

// Upstream forgets the loaded replica, and the next wait hangs.
func TestLoadingAReplicaTwiceKeepsTheFirst(t *testing.T) {
	s := start(t)
	want := s.write(t, "model", 3*chunk)
	m := allocate(t, len(want))
	if err := s.LoadToPool(t.Context(), "model", "replica"); err != nil {
		t.Fatal(err)
	}
	s.loadTo(t, m, "model", "replica", want)
	refused(t, "the same again", s.LoadToTargets(t.Context(), "model", "replica", m.target(whole(len(want)))), codes.AlreadyExists)
	if err := s.Confirm(soon(t), "model", "replica"); err != nil {
		t.Error(err)
	}
	// Loads to the pool may be repeated.
	for range 3 {
		if err := s.LoadToPool(t.Context(), "model", "replica"); err != nil {
			t.Error(err)
		}
	}
}

// Upstream reports success and copies nothing.
func TestAnUnknownDevice(t *testing.T) {
	s := start(t)
	want := s.write(t, "model", chunk)
	m := allocate(t, len(want))
	targets := m.target(whole(len(want)))
	targets[0].Device = "00000000-1111-2222-3333-444444444444"
	refused(t, "another device", s.LoadToTargets(t.Context(), "model", "replica", targets), codes.NotFound)
	refused(t, "its replica", s.Confirm(soon(t), "model", "replica"), codes.NotFound)
	s.loadTo(t, m, "model", "replica", want)
}

// Upstream crashes.
func TestPartsOutOfRange(t *testing.T) {
	s := start(t)
	want := s.write(t, "model", 2*chunk, 100)
	m := allocate(t, len(want))
	const far = 1 << 62
	size := int64(len(want))
	for name, p := range map[string]client.Part{
		"a src_offset past the end":   {From: size + 1, Bytes: 1},
		"a size past the end":         {From: 1, Bytes: size},
		"a size that is all there is": {From: 0, Bytes: -1},
		"a sum that overflows":        {From: 10, Bytes: -5},
		"a dst_offset past the end":   {To: far, Bytes: 1},
		"a dst_offset over 63 bits":   {To: -1, Bytes: 1},
		"a dst_offset near the end":   {To: 2<<20 - 1, Bytes: 2},
	} {
		refused(t, name, s.LoadToTargets(t.Context(), "model", "replica", m.target(p)), codes.InvalidArgument)
	}
	overlap := m.target(client.Part{Bytes: 10}, client.Part{From: 500, Bytes: 10, To: 9})
	refused(t, "two parts at one place", s.LoadToTargets(t.Context(), "model", "replica", overlap), codes.InvalidArgument)
	refused(t, "no parts", s.LoadToTargets(t.Context(), "model", "replica", nil), codes.InvalidArgument)
	s.loadTo(t, m, "model", "replica", want)
}

// Upstream crashes.
func TestEvictionsAfterClearMem(t *testing.T) {
	s := start(t, func(o *server.Options) { o.PoolBytes = 10 * chunk })
	models := map[string][]byte{}
	for i := range 4 {
		name := fmt.Sprint("model-", i)
		models[name] = s.write(t, name, 4*chunk)
	}
	for round := range 3 {
		for name, want := range models {
			s.load(t, name, fmt.Sprint(name, round), want)
		}
		if err := s.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Upstream exits.
func TestInvalidHandles(t *testing.T) {
	s := start(t)
	want := s.write(t, "model", chunk)
	m := allocate(t, len(want))
	for _, handle := range [][]byte{nil, {1}, make([]byte, 64), bytes.Repeat([]byte{0xff}, 64), make([]byte, 1<<20)} {
		targets := m.target(whole(len(want)))
		targets[0].Handle = handle
		refused(t, fmt.Sprintf("%d bytes", len(handle)), s.LoadToTargets(t.Context(), "model", "replica", targets), codes.InvalidArgument)
	}
	s.loadTo(t, m, "model", "replica", want)
}

// Upstream fails.
func TestOnePartOverThreePartitions(t *testing.T) {
	s := start(t)
	want := s.write(t, "model", chunk+512, 1024, 2*chunk, 512)
	m := allocate(t, len(want))
	from := int64(chunk)
	clear(m.bytes())
	if err := s.LoadToTargets(t.Context(), "model", "replica", m.target(client.Part{From: from, Bytes: chunk + 1536, To: 77})); err != nil {
		t.Fatal(err)
	}
	if err := s.Confirm(t.Context(), "model", "replica"); err != nil {
		t.Fatal(err)
	}
	got := m.bytes()
	if !bytes.Equal(got[77:77+chunk+1536], want[from:from+chunk+1536]) {
		t.Error("wrong bytes were copied")
	}
	if got[76] != 0 || got[77+chunk+1536] != 0 {
		t.Error("bytes outside the part were written")
	}
}

// Upstream answers OK and then fails internally, and a wait may never end.
func TestAModelLargerThanThePoolIsRefusedAtOnce(t *testing.T) {
	s := start(t, func(o *server.Options) { o.PoolBytes = 10 * chunk })
	want := s.write(t, "large", 11*chunk)
	refused(t, "to the pool", s.LoadToPool(t.Context(), "large", "replica"), codes.ResourceExhausted)
	refused(t, "to a client", s.LoadToTargets(t.Context(), "large", "replica", allocate(t, len(want)).target(whole(len(want)))), codes.ResourceExhausted)
	refused(t, "the wait", s.Confirm(soon(t), "large", "replica"), codes.NotFound)
	s.load(t, "small", "small", s.write(t, "small", 10*chunk))
}
