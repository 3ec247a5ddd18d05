// Package storetest provides sllm-stores for tests: Serve runs sllmq's own in this
// process, and Install runs a stand-in for ServerlessLLM's that fails in one of
// the ways in which the real one was seen to fail.
//
// The stand-in is the test binary itself. Its Main takes over when the binary is
// run as Program:
//
//	func TestMain(m *testing.M) {
//		storetest.Main()
//		os.Exit(m.Run())
//	}
package storetest

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/sllmstore/storagepb"
)

// Program is the name of the stand-in's command.
const Program = "sllm-store"

// variable is the environment variable with its Behaviour.
const variable = "SLLMQ_TEST_STORE"

// Behaviour is how the stand-in fails.
type Behaviour string

// Behaviours.
const (
	Dies     Behaviour = "dies"     // exits before it is ready
	Mute     Behaviour = "mute"     // never reports that it is ready
	Deaf     Behaviour = "deaf"     // reports that it is ready, and does not listen
	Refuses  Behaviour = "refuses"  // answers every load with INTERNAL and no message
	Internal Behaviour = "internal" // answers ConfirmModel with INTERNAL and no message
	Hangs    Behaviour = "hangs"    // hangs in ConfirmModel, and in all other calls then
	Crashes  Behaviour = "crashes"  // crashes in ConfirmModel
	Lies     Behaviour = "lies"     // confirms loads that it has not done
	Stays    Behaviour = "stays"    // ignores SIGTERM
)

// Install puts the test binary on the PATH as Program, with the given behaviour,
// and returns its path.
func Install(t *testing.T, b Behaviour) (path string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path = filepath.Join(dir, Program)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv(variable, string(b))
	return path
}

// Main runs the stand-in and exits if this process was started as Program;
// otherwise it returns.
func Main() {
	if filepath.Base(os.Args[0]) != Program {
		return
	}
	if err := run(Behaviour(os.Getenv(variable))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(b Behaviour) error {
	if len(os.Args) < 2 || os.Args[1] != "start" {
		return fmt.Errorf("usage: %s start", Program)
	}
	f := flag.NewFlagSet(Program, flag.ContinueOnError)
	for _, name := range []string{"storage-path", "mem-pool-size", "chunk-size", "num-thread"} {
		f.String(name, "", "")
	}
	host, port := f.String("host", "127.0.0.1", ""), f.Int("port", 8073, "")
	if err := f.Parse(os.Args[2:]); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "\x1b[32mINFO\x1b[0m making the pool")
	switch b {
	case Dies:
		return fmt.Errorf("CUDA error: no CUDA-capable device is detected")
	case Mute:
		time.Sleep(time.Hour)
	}
	fmt.Fprintf(os.Stderr, "\x1b[32mINFO\x1b[0m Starting gRPC server on %s:%d\n", *host, *port)
	if b == Deaf {
		time.Sleep(time.Hour)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(*host, strconv.Itoa(*port)))
	if err != nil {
		return err
	}
	if b == Stays {
		signal.Ignore(syscall.SIGTERM)
	}
	s := grpc.NewServer()
	storagepb.RegisterStorageServer(s, &store{behaviour: b})
	return s.Serve(l)
}

// store answers as ServerlessLLM's does: it implements the contract alone, its
// errors have no text, and a call that waits blocks all others.
type store struct {
	storagepb.UnimplementedStorageServer
	behaviour Behaviour
	mu        sync.Mutex
}

func (s *store) GetServerConfig(context.Context, *storagepb.GetServerConfigRequest) (*storagepb.GetServerConfigResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &storagepb.GetServerConfigResponse{MemPoolSize: 1 << 30, ChunkSize: 16 << 20}, nil
}

func (s *store) RegisterModel(_ context.Context, r *storagepb.RegisterModelRequest) (*storagepb.RegisterModelResponse, error) {
	return &storagepb.RegisterModelResponse{ModelPath: r.GetModelPath(), ModelSize: 1}, nil
}

func (s *store) LoadModelAsync(_ context.Context, r *storagepb.LoadModelRequest) (*storagepb.LoadModelResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behaviour == Refuses {
		return nil, status.Error(codes.Internal, "")
	}
	return &storagepb.LoadModelResponse{ModelPath: r.GetModelPath()}, nil
}

func (s *store) ConfirmModel(_ context.Context, r *storagepb.ConfirmModelRequest) (*storagepb.ConfirmModelResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.behaviour {
	case Hangs:
		select {}
	case Crashes:
		fmt.Fprintln(os.Stderr, "terminate called after throwing an instance of 'std::out_of_range'")
		os.Exit(134)
	case Internal:
		return nil, status.Error(codes.Internal, "")
	}
	return &storagepb.ConfirmModelResponse{ModelPath: r.GetModelPath()}, nil
}
