package server

import (
	"container/list"
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/pool"
	"github.com/sllmq/sllmq/collector/stage"
)

// replica is what a client calls by an id: a load of a model to its memory. A
// client that gives the id with its load to host memory too is told how both
// went.
type replica struct {
	id, modelPath string
	clock         *stage.Timeline // since the first request
	first         *pool.Fetched   // of that request
	evicted       int64           // by either of them

	copying bool            // the load to the client's memory was begun
	alive   context.Context // of that load
	cancel  context.CancelFunc
	done    chan struct{} // closed when it ended
	err     error         // a status; set before
	place   *list.Element // in the order of their first requests
}

// replicas are those under way, and those that ended last. The server's lock
// guards them.
type replicas struct {
	byID     map[string]*replica
	order    list.List // of *replica
	underWay int
}

// add remembers a replica, and forgets the oldest that nobody waits for.
func (r *replicas) add(id, modelPath string, clock *stage.Timeline) *replica {
	if r.byID == nil {
		r.byID = map[string]*replica{}
	}
	for e := r.order.Front(); e != nil && len(r.byID) >= maxRemembered; {
		old := e.Value.(*replica)
		e = e.Next()
		if !old.copying || old.ended() {
			r.remove(old)
		}
	}
	x := &replica{id: id, modelPath: modelPath, clock: clock, done: make(chan struct{})}
	x.place = r.order.PushBack(x)
	r.byID[id] = x
	return x
}

func (r *replicas) remove(x *replica) {
	r.order.Remove(x.place)
	delete(r.byID, x.id)
}

// forgetEnded forgets every replica that is not under way.
func (r *replicas) forgetEnded() {
	for _, x := range r.byID {
		if !x.copying || x.ended() {
			r.remove(x)
		}
	}
}

func (x *replica) ended() bool {
	select {
	case <-x.done:
		return true
	default:
		return false
	}
}

// beginCopying claims an id for a load to a client's memory. An id that was
// used for one is not used again: the one that has it is left as it is. A
// client that has given its request up, and may have been told that there is
// nothing to abandon, has its way.
func (s *Server) beginCopying(ctx context.Context, id, modelPath string, clock *stage.Timeline) (*replica, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.replicas.byID[id]
	switch {
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	case x != nil && x.copying:
		return nil, status.Errorf(codes.AlreadyExists, "replica %q is there already", id)
	case x != nil && x.modelPath != modelPath:
		return nil, status.Errorf(codes.AlreadyExists, "replica %q is one of model %q", id, x.modelPath)
	case s.replicas.underWay >= maxUnderWay:
		return nil, status.Errorf(codes.ResourceExhausted, "%d loads are under way: wait for one to end", maxUnderWay)
	case x == nil:
		x = s.replicas.add(id, modelPath, clock)
	}
	x.copying = true
	x.alive, x.cancel = context.WithCancel(s.alive)
	s.replicas.underWay++
	return x, nil
}

// giveBack undoes beginCopying, for a load that was refused.
func (s *Server) giveBack(x *replica, err error) {
	s.mu.Lock()
	s.replicas.remove(x)
	s.mu.Unlock()
	s.endCopying(x, err)
}

// endCopying tells whoever waits how it went.
func (s *Server) endCopying(x *replica, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicas.underWay--
	x.cancel()
	x.err = err
	close(x.done)
}

// find looks a replica up whose load to a client's memory was begun.
func (s *Server) find(id, modelPath string) (*replica, error) {
	if id == "" || len(id) > maxName {
		return nil, status.Errorf(codes.InvalidArgument, "replica_uuid is empty or over %d bytes", maxName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.replicas.byID[id]
	if x == nil || !x.copying || x.modelPath != modelPath {
		return nil, status.Errorf(codes.NotFound, "no replica %.200q of model %.200q was loaded: begin with LoadModelAsync", id, modelPath)
	}
	return x, nil
}

// wait waits for a replica to end.
func (x *replica) wait(ctx context.Context) error {
	select {
	case <-x.done:
		return x.err
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}
