package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/collector/sllmstore/storetest"
)

// serving is a store that runs as its own process.
type serving struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	stderr  bytes.Buffer
}

// serve starts a store of models and waits until it is ready.
func (b bench) serve(more ...string) *serving {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Join(b.dir, "models"), 0o755); err != nil {
		b.t.Fatal(err)
	}
	s := &serving{t: b.t}
	s.cmd = b.command(append([]string{"store", "serve", "--storage-path", "models", "--mem-pool-size", "600MB", "--port", "0", "--metrics-address", "127.0.0.1:0"}, more...)...)
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	_, address, ok := strings.Cut(strings.TrimSpace(line), "Starting gRPC server on ")
	if err != nil || !ok {
		b.t.Fatalf("it said %q, %v: %s", line, err, s.stderr.String())
	}
	s.address = address
	return s
}

// ends sends a signal, waits, and checks the exit code; -1: the signal killed it.
func (s *serving) ends(signal syscall.Signal, code int) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	_ = s.cmd.Wait() // ProcessState tells
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Fatalf("exit code %d, want %d:\n%s", got, code, s.stderr.String())
	}
}

func TestAttachToARunningStore(t *testing.T) {
	b := newBench(t)
	s := b.serve()
	c := b.collect(2, "--loader", "store", "--store-address", s.address)
	c.ends(exitDone)
	if got := b.sql("select count(*), bool_and(verified), count(*) filter (pool_hit), count(storage_read_bytes), string_agg(distinct source_tier, ' ' order by source_tier) from load_facts"); got != "3,true,2,0,pool storage" {
		t.Errorf("loads: %s", got)
	}
	if got := b.sql("select store is null, store_pid is null, store_address = '" + s.address + "', pool_bytes, pool_locked is not null from sessions"); got != "true,true,true,620756992,true" {
		t.Errorf("session: %s", got)
	}
	// A model that its pool has no room for is refused before it is prepared.
	large := b.collect(1, "--model-name", "synthetic/opt-1.3b", "--loader", "store", "--store-address", s.address)
	large.ends(exitFailed)
	if text := large.stderr.String(); !strings.Contains(text, "start it with a larger pool") {
		t.Errorf("a model larger than the pool: %s", text)
	}

	_, metrics, _ := strings.Cut(s.stderr.String(), "address=http")
	metrics, _, _ = strings.Cut(metrics, "\n")
	r, err := http.Get("http" + metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	page, err := io.ReadAll(r.Body)
	if err != nil || !strings.Contains(string(page), `sllmq_store_load_seconds_count{to="client"} 3`) {
		t.Errorf("metrics: %v\n%s", err, page)
	}
	s.ends(syscall.SIGTERM, exitDone)
}

// The load has an error with the end of the store's log, and another worker
// continues with another store.
func TestKilledStoreIsOneFailedLoad(t *testing.T) {
	b := newBench(t)
	c := b.collect(40, "--loader", "store", "--verify", "none")
	b.waitForLoads(3)
	pid := b.number("select max(store_pid) from sessions")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.ends(exitPartial)
	if got := b.sql("select count(*), count(*) filter (error like '%signal 9%sllm-store.log and ends: %'), count(distinct session) from load_facts"); got != "41,1,2" {
		t.Fatalf("loads: %s: %s", got, b.sql("select error from load_facts where error is not null"))
	}
	if alive(pid) {
		t.Error("the store still runs")
	}
}

func TestStoreDoesNotOutliveItsCollector(t *testing.T) {
	b := newBench(t)
	c := b.collect(10_000, "--loader", "store", "--verify", "none")
	b.waitForLoads(2)
	pid := b.number("select max(store_pid) from sessions")
	if !alive(pid) {
		t.Fatal("the store does not run")
	}
	if err := c.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.ends(-1)
	for deadline := time.Now().Add(30 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("store %d outlives its collector", pid)
		}
	}
}

// TestStoreFailuresAreRows uses a fake sllm-store and fake NVIDIA libraries.
func TestStoreFailuresAreRows(t *testing.T) {
	b := newBench(t)
	library := cudatest.Build(t, "")
	cudatest.BuildNVML(t, library.Dir)
	for behaviour, want := range map[storetest.Behaviour]struct {
		error    string
		loads    int // that left a row
		sessions int
	}{
		storetest.Dies:     {"the worker did not start (loads skipped: 3): start %/sllm-store: it ended: %no CUDA-capable device%", 1, 0},
		storetest.Hangs:    {"%ConfirmModel: no answer within%sllm-store.log and ends: %", 3, 3},
		storetest.Crashes:  {"%ConfirmModel: Unavailable%terminate called after throwing%", 3, 3},
		storetest.Internal: {"%ConfirmModel: Internal%", 3, 3},
		storetest.Refuses:  {"%LoadModelAsync (CPU): Internal%", 3, 1},
		storetest.Lies:     {"verify %: tensor % has checksum % on the device%", 3, 1},
	} {
		t.Run(string(behaviour), func(t *testing.T) {
			storetest.Install(t, behaviour)
			here := bench{t, t.TempDir(), append(b.env, "LD_LIBRARY_PATH="+library.Dir)}
			// One model for all.
			if err := os.Symlink(filepath.Join(b.dir, "models"), filepath.Join(here.dir, "models")); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Join(b.dir, "models"), 0o755); err != nil {
				t.Fatal(err)
			}
			c := here.collect(2, "--loader", "store", "--device", "cuda:0", "--load-timeout", "2s")
			c.ends(exitPartial)
			query := fmt.Sprintf("select (select count(*) from loads), (select count(*) from loads where error like '%s'), (select count(*) from sessions)", want.error)
			if got := here.sql(query); got != fmt.Sprintf("%d,%d,%d", want.loads, want.loads, want.sessions) {
				t.Errorf("%s: %s", got, here.sql("select error from loads"))
			}
		})
	}
}
