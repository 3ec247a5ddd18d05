package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/sllmstore/server"
	"github.com/sllmq/sllmq/collector/sllmstore/storetest"
)

const chunk = 64 << 10

// patience is how long a store that is stopped waits for requests.
const patience = 200 * time.Millisecond

// store is a server on a real socket, and a client of it.
type store struct {
	*client.Client
	dir    string // the storage path
	server *server.Server
	stop   func() // ends it as SIGTERM does
}

func start(t testing.TB, change ...func(*server.Options)) *store {
	t.Helper()
	o := server.Options{
		StoragePath: t.TempDir(), PoolBytes: 128 * chunk, ChunkBytes: chunk, Threads: 4,
		Devices: []device.Importer{device.HostImporter{}}, Version: "test",
	}
	for _, c := range change {
		c(&o)
	}
	s, address, stop := storetest.Serve(t, o, patience)
	c, err := client.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop() // while its client is connected
		_ = c.Close()
	})
	return &store{c, o.StoragePath, s, stop}
}

// write writes a model with partitions of the given sizes and returns its bytes,
// laid end to end.
func (s *store) write(t testing.TB, name string, sizes ...int) []byte {
	t.Helper()
	var whole []byte
	for i, size := range sizes {
		b := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(i), byte(size), byte(size >> 8), name[len(name)-1]}).Read(b) // it never fails
		path := filepath.Join(s.dir, name, fmt.Sprint("tensor.data_", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		whole = append(whole, b...)
	}
	return whole
}

// memory is host memory of a client.
type memory struct {
	device.Memory
	handle device.Handle
}

func allocate(t testing.TB, bytes int) memory {
	t.Helper()
	d, err := device.OpenShared("host", int64(bytes))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	m, err := d.Allocate(int64(bytes))
	if err != nil {
		t.Fatal(err)
	}
	h, err := m.(device.Exporter).Export()
	if err != nil {
		t.Fatal(err)
	}
	return memory{m, h}
}

func (m memory) bytes() []byte { return m.Memory.(device.Addressable).Bytes() }

func (m memory) target(parts ...client.Part) []client.Target {
	return []client.Target{{Device: m.handle.Device, Handle: m.handle.Bytes, Parts: parts}}
}

// whole returns the part of a copy list that is the whole model.
func whole(bytes int) client.Part { return client.Part{Bytes: int64(bytes)} }

// load loads a model to new memory and compares it with want.
func (s *store) load(t testing.TB, model, replica string, want []byte) {
	t.Helper()
	m := allocate(t, len(want))
	if err := s.LoadToPool(t.Context(), model, replica); err != nil {
		t.Error(err)
		return
	}
	s.loadTo(t, m, model, replica, want)
}

func (s *store) loadTo(t testing.TB, m memory, model, replica string, want []byte) {
	t.Helper()
	clear(m.bytes())
	err := s.LoadToTargets(t.Context(), model, replica, m.target(whole(len(want))))
	if err == nil {
		err = s.Confirm(t.Context(), model, replica)
	}
	if err != nil {
		t.Error(err)
	} else if !bytes.Equal(m.bytes()[:len(want)], want) {
		t.Errorf("replica %s of %s has wrong bytes", replica, model)
	}
}

// refused checks an error's code.
func refused(t testing.TB, what string, err error, want codes.Code) {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) || e.Code != want {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// soon limits calls that must not hang to far more time than they take.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// gate is a host device whose writes wait until it is open, and then may fail.
type gate struct {
	begun chan struct{} // closed by the first write
	open  chan struct{}
	once  *sync.Once
	fail  error
}

func newGate() *gate {
	return &gate{begun: make(chan struct{}), open: make(chan struct{}), once: &sync.Once{}}
}

func (g *gate) options(o *server.Options) { o.Devices = []device.Importer{g} }

func (g *gate) UUID() (string, error) { return device.Host, nil }

func (g *gate) Import(handle []byte) (device.Memory, error) {
	m, err := device.HostImporter{}.Import(handle)
	return &gated{m, g}, err
}

type gated struct {
	device.Memory
	gate *gate
}

func (m *gated) Write(offset int64, src []byte) error {
	m.gate.once.Do(func() { close(m.gate.begun) })
	<-m.gate.open
	if m.gate.fail != nil {
		return m.gate.fail
	}
	return m.Memory.Write(offset, src)
}
