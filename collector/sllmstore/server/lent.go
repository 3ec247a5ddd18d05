package server

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/grpc/stats"

	"github.com/sllmq/sllmq/collector/device"
)

// maxKept is how much memory of one client stays open that no load writes to.
const maxKept = 4

// lender is the client at the other end of a connection, and the host memory
// that it has given. One that loads again and again gives the same memory each
// time, and to map it anew costs more than a load from the pool does. So it stays
// mapped until the connection ends, or too much else came since.
//
// Memory of GPUs is not kept: it is its owner's again only when all others have
// closed it.
type lender struct {
	server *Server

	mu   sync.Mutex
	kept []*lent // the one used last at the end
	gone bool    // the connection has ended
}

// lent is memory of a client.
type lent struct {
	device.Memory
	handle string
	users  int // loads
}

// borrow finds the memory that a handle names, or opens it. The load gives it
// back.
func (l *lender) borrow(handle []byte, open func([]byte) (device.Memory, error)) (m device.Memory, giveBack func(), err error) {
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

// end closes what the client gave, as soon as no load writes to it.
func (l *lender) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	l.tidy()
}

// tidy closes what is not to be kept.
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
func (s *Server) memory(ctx context.Context, t target) (m device.Memory, giveBack func(), err error) {
	open := s.devices[t.device].Import
	if l, ok := ctx.Value(lenderKey{}).(*lender); ok && t.device == device.HostDevice {
		return l.borrow(t.handle, open)
	}
	if m, err = open(t.handle); err != nil {
		return nil, nil, err
	}
	return m, func() { s.close(m) }, nil
}

func (s *Server) close(m device.Memory) {
	if err := m.Free(); err != nil {
		s.o.Log.Error("closing a client's memory", "error", err)
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
