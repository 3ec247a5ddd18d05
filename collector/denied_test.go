package collector_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector"
)

// A worker with this variable set cannot use io_uring, as in many containers.
const denies = "SLLMQ_TEST_NO_RINGS"

// denyRings makes the kernel refuse io_uring to this process, and restarts it so
// that the filter applies to all its threads. It does not return.
func denyRings() {
	runtime.LockOSThread()
	const number = 0 // of the system call, in what the filter is shown (seccomp_data)
	refuse := uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.EPERM)
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number}}
	for _, call := range []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER} {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: refuse})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	}
	if err == nil {
		if _, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0); errno != unix.EPERM {
			err = fmt.Errorf("io_uring_setup answers %v under a filter that refuses it", errno)
		}
	}
	if err == nil {
		err = os.Unsetenv(denies)
	}
	if err == nil {
		err = unix.Exec(os.Args[0], os.Args, os.Environ())
	}
	fmt.Fprintln(os.Stderr, "deny io_uring:", err)
	os.Exit(1)
}

// denied runs every loader that bypasses the page cache or locks memory, in workers
// that command starts. All loads must be verified.
func denied(t *testing.T, command func(self []string) []string) (*memory, *silent) {
	t.Helper()
	c := config(t, larger(t))
	c.BenchmarkTypes, c.DType, c.Inference, c.Replicas = []string{collector.Random}, "auto", collector.InferenceNone, 1
	c.Loaders, c.Verify, c.Sessions = []string{"pinned", "direct", "pool", "raw"}, collector.VerifyAll, 2
	plan, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	var sink memory
	h := host(t)
	h.WorkerCommand = command(h.WorkerCommand)
	progress := &silent{}
	result, err := collector.Run(t.Context(), plan, &sink, progress, h)
	if err != nil || result.Failed > 0 || result.Loads != 2*6 {
		t.Fatalf("%+v, %v: %v", result, err, progress.notes)
	}
	for _, l := range sink.Loads {
		if l.Verified != nil && !*l.Verified {
			t.Errorf("load %d does not have the bytes of its file", l.Seq)
		}
	}
	return &sink, progress
}

// TestLoadsWithoutRings: a sandbox that refuses io_uring changes nothing.
func TestLoadsWithoutRings(t *testing.T) {
	t.Setenv(denies, "1")
	denied(t, func(self []string) []string { return self })
}

// Without the right to lock memory everything loads, the session's row says why the
// pool is not locked, and there is one note.
func TestDeniedMemoryLockIsReported(t *testing.T) {
	prefix := []string{"prlimit", "--memlock=0:0"}
	if os.Geteuid() == 0 {
		prefix = append([]string{"setpriv", "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock"}, prefix...)
	}
	for _, tool := range []string{"prlimit", "setpriv"} {
		if _, err := exec.LookPath(tool); errors.Is(err, exec.ErrNotFound) {
			t.Skipf("needs %s", tool)
		}
	}
	sink, progress := denied(t, func(self []string) []string { return append(prefix, self...) })
	pools, told := 0, 0
	for _, s := range sink.Sessions {
		if s.PoolLocked == nil {
			continue
		}
		pools++
		if *s.PoolLocked || s.PoolLockReason == nil || *s.PoolLockReason == "" {
			t.Errorf("session %d: locked %v, reason %v", s.Session, *s.PoolLocked, s.PoolLockReason)
		}
	}
	for _, note := range progress.notes {
		if strings.Contains(note, "not page-locked") {
			told++
		}
	}
	if pools != 2 || told != 1 {
		t.Errorf("%d sessions with a pool, %d notes: %v", pools, told, progress.notes)
	}
}
