package storetest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/sllmstore/server"
)

// Serve starts sllmq's own store on a free port and returns its address. stop
// ends it as SIGTERM does, and waits for requests no longer than patience; it is
// called when the test ends, if it has not been called before.
//
// The store runs in this process, so that tests can look for what it leaves
// behind and break what it uses. If o has no Log, the log is discarded.
func Serve(t testing.TB, o server.Options, patience time.Duration) (s *server.Server, address string, stop func()) {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(errors.Join(err, s.Close()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l, patience) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-served, s.Close()); err != nil {
			t.Errorf("stop the store: %v", err)
		}
	})
	t.Cleanup(stop)
	return s, l.Addr().String(), stop
}
