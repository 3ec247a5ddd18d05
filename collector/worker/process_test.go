package worker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/worker"
)

// The test binary is also the worker: the value of this variable is its behaviour.
const behaviour = "SLLMQ_TEST_WORKER"

func TestMain(m *testing.M) {
	switch os.Getenv(behaviour) {
	case "":
		os.Exit(m.Run())
	case "native":
		if err := worker.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "chatter": // ready, then what is no reply, and no end
		lines := bufio.NewScanner(os.Stdin)
		lines.Scan()
		fmt.Println(`{"ready":{"pid":1,"setup_time_s":0}}`)
		for {
			fmt.Println("loading, please wait")
		}
	case "hangs", "deaf":
		lines := bufio.NewScanner(os.Stdin)
		lines.Scan()
		fmt.Println(`{"ready":{"pid":1,"setup_time_s":0}}`)
		time.Sleep(time.Hour)
	case "dies":
		lines := bufio.NewScanner(os.Stdin)
		lines.Scan()
		fmt.Println(`{"ready":{"pid":1,"setup_time_s":0}}`)
		lines.Scan()
		fmt.Fprintln(os.Stderr, "out of luck")
		os.Exit(7)
	case "killed":
		lines := bufio.NewScanner(os.Stdin)
		lines.Scan()
		fmt.Println(`{"ready":{"pid":1,"setup_time_s":0}}`)
		lines.Scan()
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Hour)
	}
}

func start(t *testing.T, kind string, o worker.Open) (*worker.Process, error) {
	t.Helper()
	t.Setenv(behaviour, kind)
	return worker.Start(t.Context(), []string{os.Args[0]}, o, 20*time.Second)
}

func TestDeadWorkerErrors(t *testing.T) {
	for kind, want := range map[string]string{
		"dies":    "out of luck",
		"killed":  "signal 9",
		"hangs":   "did not answer within 200ms",
		"deaf":    "did not answer within 200ms",
		"chatter": "not a reply",
	} {
		t.Run(kind, func(t *testing.T) {
			p, err := start(t, kind, worker.Open{})
			if err != nil {
				t.Fatal(err)
			}
			timeout := 20 * time.Second
			if kind == "hangs" || kind == "deaf" {
				timeout = 200 * time.Millisecond
			}
			var request worker.Load
			if kind == "deaf" { // it would have to read on
				request = tooLong
			}
			_, err = p.Load(t.Context(), request, timeout)
			var dead *worker.DeadError
			if !errors.As(err, &dead) || !strings.Contains(err.Error(), want) {
				t.Fatalf("error %v, want a DeadError with %q", err, want)
			}
			if err := syscall.Kill(dead.PID, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("worker %d still runs: %v", dead.PID, err)
			}
		})
	}
}

// tooLong is a request that does not fit a pipe.
var tooLong = worker.Load{Files: []string{strings.Repeat("f", 4<<20)}}

func TestCancelledLoadLeavesNoProcess(t *testing.T) {
	for _, request := range []worker.Load{{}, tooLong} {
		p, err := start(t, "hangs", worker.Open{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := p.Load(ctx, request, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
		// Close after the end says how the worker went.
		if err := p.Close(time.Second); err == nil {
			t.Error("a killed worker closed without an error")
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for _, c := range []struct {
		open worker.Open
		want string
	}{
		{worker.Open{Format: "sllm", Loader: "nonesuch", Device: "host"}, "nonesuch"},
		{worker.Open{Format: "pickle", Loader: "raw", Device: "host"}, "pickle"},
		{worker.Open{Format: "sllm", Loader: "mmap", Device: "host"}, "does not load"},
		{worker.Open{Format: "sllm", Loader: "raw", Device: "tpu:0"}, "tpu:0"},
		{worker.Open{Format: "sllm", Loader: "pool", Device: "host", ChunkBytes: 4097, PoolBytes: 1 << 20}, "4097"},
		{worker.Open{Format: "sllm", Loader: "pool", Device: "host", ChunkBytes: 1 << 20, PoolBytes: 1}, "too small"},
	} {
		if _, err := start(t, "native", c.open); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.open, err, c.want)
		}
	}
}

func TestWorkerExitsWhenItsInputEnds(t *testing.T) {
	p, err := start(t, "native", worker.Open{Format: "sllm", Loader: "raw", Device: "host", ChunkBytes: 1 << 20, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(20 * time.Second); err != nil {
		t.Errorf("closing: %v", err)
	}
}
