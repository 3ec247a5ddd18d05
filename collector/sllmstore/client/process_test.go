package client_test

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
	"syscall"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/sllmstore/storetest"
)

// With this variable set the test binary starts a store, says which process it
// is, and sleeps.
const startsOne = "SLLMQ_TEST_STARTS_ONE"

func TestMain(m *testing.M) {
	storetest.Main()
	if program := os.Getenv(startsOne); program != "" {
		p, err := client.Start(context.Background(), command(program, program+".log"), time.Minute)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.PID)
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

func command(program, log string) client.Command {
	return client.Command{Program: []string{program, "start"}, StoragePath: "/models", PoolBytes: 32 << 30, ChunkBytes: 16 << 20, Threads: 4, Log: log}
}

func start(t *testing.T, b storetest.Behaviour, patience time.Duration) (*client.Process, string, error) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "sllm-store.log")
	p, err := client.Start(t.Context(), command(storetest.Install(t, b), log), patience)
	if err == nil {
		t.Cleanup(p.Kill)
	}
	return p, log, err
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestAStoreIsStartedAwaitedAndStopped(t *testing.T) {
	p, log, err := start(t, storetest.Lies, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(p.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Describe(t.Context())
	if err != nil || s.PoolBytes != 1<<30 || s.ChunkBytes != 16<<20 || s.Beyond != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if err := p.Stop(time.Minute); err != nil {
		t.Error(err)
	}
	if !gone(p.PID) {
		t.Error("it runs on")
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--storage-path /models --mem-pool-size 34359738368B --chunk-size 16777216B --num-thread 4 --host 127.0.0.1 --port ", "Starting gRPC server on"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the log has no %q:\n%s", want, text)
		}
	}
	_, err = c.Describe(t.Context())
	var e *client.Error
	if !errors.As(err, &e) || !e.Unanswered() {
		t.Errorf("asking a store that is gone: %v", err)
	}
}

func TestAStoreThatDoesNotComeUpIsAnErrorWithItsLog(t *testing.T) {
	for b, want := range map[storetest.Behaviour][]string{
		storetest.Dies: {"it ended: exit status 1", "ends: INFO making the pool | CUDA error: no CUDA-capable device"},
		storetest.Mute: {`did not say "Starting gRPC server on" within`, "ends: INFO making the pool"},
		storetest.Deaf: {"within", "ends: INFO making the pool | INFO Starting gRPC server on"},
	} {
		t.Run(string(b), func(t *testing.T) {
			patience := time.Minute
			if b != storetest.Dies {
				patience = 2 * time.Second
			}
			_, log, err := start(t, b, patience)
			if err == nil {
				t.Fatal("it was taken for ready")
			}
			for _, text := range append(want, log) {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error %q has no %q", err, text)
				}
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %q is not one plain line", err)
			}
		})
	}
	if _, err := client.Start(t.Context(), command("/no/such/store", filepath.Join(t.TempDir(), "log")), time.Second); err == nil {
		t.Error("what is not there was started")
	}
	if _, err := client.Start(t.Context(), command("/bin/true", "/no/such/folder/log"), time.Second); err == nil {
		t.Error("it was started without a log")
	}
}

func TestStartingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := client.Start(ctx, command(storetest.Install(t, storetest.Mute), filepath.Join(t.TempDir(), "log")), time.Hour)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestAStoreThatDoesNotEndIsKilled(t *testing.T) {
	p, _, err := start(t, storetest.Stays, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(100 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("error %v", err)
	}
	if !gone(p.PID) {
		t.Error("it runs on")
	}
}

// What a store has started ends with it.
func TestAStoresOwnProcessesEndWithIt(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "store")
	real := storetest.Install(t, storetest.Lies)
	child := filepath.Join(dir, "child")
	text := fmt.Sprintf("#!/bin/sh\nsleep 1000 &\necho $! > %s\nexec %s \"$@\"\n", child, real)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := client.Start(t.Context(), command(script, filepath.Join(dir, "log")), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(time.Minute); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(child)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the store's child", func() bool { return gone(pid) || zombie(pid) })
}

// A store does not outlive whoever started it, however that ends.
func TestAStoreDiesWithWhoeverStartedIt(t *testing.T) {
	program := storetest.Install(t, storetest.Stays)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), startsOne+"="+program)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(line)
	}
	if gone(pid) {
		t.Fatal("the store does not run")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	wait(t, "the store", func() bool { return gone(pid) || zombie(pid) })
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s runs on", what)
}

// zombie says that a process has ended and nobody has asked how: in a
// container there may be nobody who does.
func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(text), ") Z ")
}
