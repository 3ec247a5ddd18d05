package checkpoint

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Variables that make this test binary the process that prepares.
const (
	storageVariable = "SLLMQ_TEST_PREPARE_STORAGE"
	sayAtVariable   = "SLLMQ_TEST_PREPARE_SAY_AT" // a number of bytes
)

// TestPrepareInChild is no test but what the children of other tests run.
func TestPrepareInChild(t *testing.T) {
	storage := os.Getenv(storageVariable)
	if storage == "" {
		t.Skip("runs as a child of other tests")
	}
	sayAt, err := strconv.ParseInt(os.Getenv(sayAtVariable), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	p := childPlan(t, storage)
	var done atomic.Int64
	err = p.Prepare(t.Context(), func(n int64) {
		before := done.Add(n) - n
		if before < sayAt && before+n >= sayAt {
			fmt.Println("reached")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func childPlan(t testing.TB, storage string) Plan {
	return planFor(t, "synthetic/opt-125m", storage, SLLM, "float16", 2, Options{})
}

// child is a process that prepares, and says when it has written so much.
func child(t *testing.T, storage string, sayAt int64) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestPrepareInChild$")
	cmd.Env = append(os.Environ(), storageVariable+"="+storage, fmt.Sprintf("%s=%d", sayAtVariable, sayAt))
	cmd.Stderr = os.Stderr
	return cmd
}

// TestKilled kills a process that prepares, at several points, and prepares
// again.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a gigabyte")
	}
	storage := t.TempDir()
	size := childPlan(t, storage).ReplicaBytes
	for _, at := range []int64{1, size / 2, size + size/2} {
		cmd := child(t, storage, at)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == "reached" {
				break
			}
		}
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("killed at %d bytes, it ended with %v", at, err)
		}
		list := names(t, childPlan(t, storage).root())
		if !strings.Contains(strings.Join(list, " "), temporary) {
			t.Fatalf("killed at %d bytes, it left %q: too late to show anything", at, list)
		}
	}
	p := childPlan(t, storage)
	if p.MissingBytes != p.ReplicaBytes {
		t.Errorf("%d bytes missing after the second replica was cut off, want %d", p.MissingBytes, p.ReplicaBytes)
	}
	prepare(t, p)
	if got := fmt.Sprint(names(t, p.root())); got != "[.lock 0 1]" {
		t.Errorf("what is there: %s", got)
	}
}

// TestTwoProcesses prepare the same at the same time.
func TestTwoProcesses(t *testing.T) {
	storage := t.TempDir()
	var wg sync.WaitGroup
	for range 2 {
		cmd := child(t, storage, 1)
		wg.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p := childPlan(t, storage)
	if p.MissingBytes != 0 {
		t.Errorf("%d bytes missing", p.MissingBytes)
	}
	for _, dir := range p.Dirs {
		if err := Verify(t.Context(), dir); err != nil {
			t.Error(err)
		}
	}
}

// TestWaitEnds gives up waiting for a lock when it is told to.
func TestWaitEnds(t *testing.T) {
	p := childPlan(t, t.TempDir())
	if err := os.MkdirAll(p.root(), 0o777); err != nil {
		t.Fatal(err)
	}
	lock, err := lockFolder(t.Context(), p.root())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := p.Prepare(ctx, nil); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "wait for another process") {
		t.Error(err)
	}
}

// TestDiskFull has a filesystem with room for one replica of two.
func TestDiskFull(t *testing.T) {
	storage := t.TempDir()
	if err := unix.Mount("tmpfs", storage, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("no tmpfs of our own: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(storage, 0); err != nil {
			t.Error(err)
		}
	})
	p := childPlan(t, storage)
	err := p.Prepare(t.Context(), nil)
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "free some, or ask for fewer replicas") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("%v, want a line on the space that is missing", err)
	}
	if got := fmt.Sprint(names(t, p.root())); got != "[.lock 0]" {
		t.Errorf("what is there: %s", got)
	}
	if err := Verify(t.Context(), p.Dirs[0]); err != nil {
		t.Error(err)
	}
	if again := childPlan(t, storage); again.MissingBytes != again.ReplicaBytes {
		t.Errorf("%d bytes missing", again.MissingBytes)
	}
	if err := os.RemoveAll(filepath.Join(storage, "synthetic")); err != nil {
		t.Error(err)
	}
}
