package server_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/sllmstore/server"
)

// counting counts the host memories that are opened and closed.
type counting struct {
	device.HostImporter
	mu             sync.Mutex
	opened, closed int
}

func (c *counting) Import(handle []byte) (device.Memory, error) {
	m, err := c.HostImporter.Import(handle)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened++
	return &counted{m, c}, err
}

// expect waits for the counts, since memory is closed after a connection ends.
func (c *counting) expect(t *testing.T, what string, opened, closed int) {
	t.Helper()
	var o, n int
	for range 2000 {
		c.mu.Lock()
		o, n = c.opened, c.closed
		c.mu.Unlock()
		if o == opened && n == closed {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%s: %d memories were opened and %d closed, want %d and %d", what, o, n, opened, closed)
}

type counted struct {
	device.Memory
	counting *counting
}

func (c *counted) Free() error {
	c.counting.mu.Lock()
	c.counting.closed++
	c.counting.mu.Unlock()
	return c.Memory.Free()
}

func TestAClientsMemoryStaysOpenWhileItIsConnected(t *testing.T) {
	c := &counting{}
	s := start(t, func(o *server.Options) { o.Devices = []device.Importer{c} })
	want := s.write(t, "model", 5*chunk, 3*chunk+1)
	m := allocate(t, len(want))
	for i := range 3 {
		s.loadTo(t, m, "model", fmt.Sprint("replica-", i), want)
	}
	c.expect(t, "three loads to one memory", 1, 0)
	// Another connection has its own.
	other, err := client.Dial(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	(&store{Client: other}).loadTo(t, m, "model", "another's", want)
	c.expect(t, "two clients", 2, 0)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect(t, "one is gone", 2, 1)
	// The least recently used memory is closed.
	memories := []memory{m}
	for i := range 5 {
		memories = append(memories, allocate(t, len(want)))
		s.loadTo(t, memories[i+1], "model", fmt.Sprint("memory ", i), want)
	}
	c.expect(t, "six memories", 7, 3)
	s.loadTo(t, memories[5], "model", "the last", want)
	c.expect(t, "the last of six", 7, 3)
	s.loadTo(t, m, "model", "the first", want)
	c.expect(t, "the first of six", 8, 4)
	s.stop()
	c.expect(t, "the end", 8, 8)
}

// When a client has gone, its memory is closed, but not before its loads have ended.
func TestMemoryIsNotClosedDuringALoad(t *testing.T) {
	g := newGate()
	c := &counting{}
	s := start(t, func(o *server.Options) { o.Devices = []device.Importer{gatedImporter{c, g}} })
	want := s.write(t, "model", 20*chunk)
	m := allocate(t, len(want))
	leaving, err := client.Dial(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	if err := leaving.LoadToTargets(t.Context(), "model", "replica", m.target(whole(len(want)))); err != nil {
		t.Fatal(err)
	}
	<-g.begun
	if err := leaving.Close(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // until the server has noticed
	c.expect(t, "during a load", 1, 0)
	close(g.open)
	c.expect(t, "after the load", 1, 1)
	if err := s.Confirm(soon(t), "model", "replica"); err != nil || !bytes.Equal(m.bytes()[:len(want)], want) {
		t.Errorf("a load whose client left: %v", err)
	}
}

// gatedImporter counts memories and puts them behind a gate.
type gatedImporter struct {
	*counting
	gate *gate
}

func (i gatedImporter) Import(handle []byte) (device.Memory, error) {
	m, err := i.counting.Import(handle)
	return &gated{m, i.gate}, err
}
