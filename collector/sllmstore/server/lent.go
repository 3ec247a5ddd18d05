package server

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/grpc/stats"

	"github.com/sllmq/sllmq/collector/device"
)

// maxKept is how many memories of one client stay open while no load uses them.
const maxKept = 4

// lender is the client of a connection, with the host memory that it has lent. A
// client that loads repeatedly lends the same memory each time, and mapping it
// again costs more than a load from the pool. It therefore stays mapped until the
// connection ends or the client has lent too many others.
//
// GPU memory is not kept: its owner can free it only when everybody else has
// closed it.
type lender struct {
	server *Server

	mu   sync.Mutex
	kept []*lent // least recently used first
	gone bool    // the connection has ended
}

// lent is memory that a client has lent.
type lent struct {
	device.Memory
	handle string
	users  int // loads
}

// borrow returns the memory with the given handle, and opens it if it is not open.
// The load must call release.
func (l *lender) borrow(handle []byte, open func([]byte) (device.Memory, error)) (m device.Memory, release func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.kept, func(m *lent) bool { return m.handle == string(handle) })
	if i < 0 {
		m, err := open(handle)
		if err != nil {
			return nil, nil, err
		}
		i = len(l.kept)
		l.kept = append(l.kept, &lent{Memory: m, handle: string(handle)})
	}
	x := l.kept[i]
	l.kept = append(slices.Delete(l.kept, i, i+1), x)
	x.users++
	l.tidy()
	return x.Memory, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		x.users--
		l.tidy()
	}, nil
}

// end closes the client's memory, as soon as no load uses it.
func (l *lender) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	l.tidy()
}

// tidy closes memory that is not to be kept.
func (l *lender) tidy() {
	surplus := len(l.kept) - maxKept
	if l.gone {
		surplus = len(l.kept)
	}
	l.kept = slices.DeleteFunc(l.kept, func(m *lent) bool {
		if surplus <= 0 || m.users > 0 {
			return false
		}
		surplus--
		l.server.close(m.Memory)
		return true
	})
}

// memory opens a client's memory for one load.
func (s *Server) memory(ctx context.Context, t target) (m device.Memory, release func(), err error) {
	open := s.devices[t.device].Import
	if l, ok := ctx.Value(lenderKey{}).(*lender); ok && t.device == device.Host {
		return l.borrow(t.handle, open)
	}
	if m, err = open(t.handle); err != nil {
		return nil, nil, err
	}
	return m, func() { s.close(m) }, nil
}

func (s *Server) close(m device.Memory) {
	if err := m.Free(); err != nil {
		s.o.Log.Error("cannot close a client's memory", "error", err)
	}
}

type lenderKey struct{}

// lenders gives each connection its lender.
type lenders struct{ server *Server }

var _ stats.Handler = lenders{}

func (h lenders) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, lenderKey{}, &lender{server: h.server})
}

func (h lenders) HandleConn(ctx context.Context, event stats.ConnStats) {
	if _, ended := event.(*stats.ConnEnd); ended {
		ctx.Value(lenderKey{}).(*lender).end()
	}
}

func (lenders) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (lenders) HandleRPC(context.Context, stats.RPCStats) {}
