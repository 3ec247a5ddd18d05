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

// Environment variables that make this test binary prepare replicas.
const (
	storageVariable  = "SLLMQ_TEST_PREPARE_STORAGE"
	reportAtVariable = "SLLMQ_TEST_PREPARE_REPORT_AT" // a number of bytes
)

// TestPrepareInChild is what the child processes of other tests run.
func TestPrepareInChild(t *testing.T) {
	storage := os.Getenv(storageVariable)
	if storage == "" {
		t.Skip("runs as a child of other tests")
	}
	reportAt, err := strconv.ParseInt(os.Getenv(reportAtVariable), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	p := childPlan(t, storage)
	var done atomic.Int64
	err = p.Prepare(t.Context(), func(n int64) {
		before := done.Add(n) - n
		if before < reportAt && before+n >= reportAt {
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

// child returns a process that prepares, and prints a line once it has written
// reportAt bytes.
func child(t *testing.T, storage string, reportAt int64) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestPrepareInChild$")
	cmd.Env = append(os.Environ(), storageVariable+"="+storage, fmt.Sprintf("%s=%d", reportAtVariable, reportAt))
	cmd.Stderr = os.Stderr
	return cmd
}

// TestKilled kills a preparing process at several points, and prepares again.
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
			t.Fatalf("killed at %d bytes, the process ended with %v", at, err)
		}
		list := names(t, childPlan(t, storage).root())
		if !strings.Contains(strings.Join(list, " "), temporary) {
			t.Fatalf("killed at %d bytes, the process left %q: killed too late", at, list)
		}
	}
	p := childPlan(t, storage)
	if p.MissingBytes != p.ReplicaBytes {
		t.Errorf("%d bytes missing after the second replica was interrupted, want %d", p.MissingBytes, p.ReplicaBytes)
	}
	prepare(t, p)
	if got := fmt.Sprint(names(t, p.root())); got != "[.lock 0 1]" {
		t.Errorf("files: %s", got)
	}
}

// TestTwoProcesses prepares the same replicas in two processes at once.
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

// TestWaitEnds cancels a Prepare that waits for the lock.
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

// TestDiskFull prepares two replicas on a filesystem with room for one.
func TestDiskFull(t *testing.T) {
	storage := t.TempDir()
	if err := unix.Mount("tmpfs", storage, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("cannot mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(storage, 0); err != nil {
			t.Error(err)
		}
	})
	p := childPlan(t, storage)
	err := p.Prepare(t.Context(), nil)
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "free some space, use fewer replicas") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("%v, want one line about missing space", err)
	}
	if got := fmt.Sprint(names(t, p.root())); got != "[.lock 0]" {
		t.Errorf("files: %s", got)
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
