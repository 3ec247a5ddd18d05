package server

import (
	"container/list"
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/pool"
	"github.com/sllmq/sllmq/collector/stage"
)

// replica is a load of a model to a client's memory, under the client's ID. If the
// client gives the ID with its load to host memory as well, Explain covers both.
type replica struct {
	id, modelPath string
	clock         *stage.Timeline // started by the first request
	first         *pool.Fetched   // the first request's use of the pool
	evicted       int64           // bytes, by either request

	copying bool            // the load to the client's memory has begun
	alive   context.Context // of that load
	cancel  context.CancelFunc
	done    chan struct{} // closed when it has ended
	err     error         // a status; set before done is closed
	element *list.Element // in replicas.order
}

// replicas are the replicas being loaded, and those that ended most recently. The
// server's mutex guards them.
type replicas struct {
	byID   map[string]*replica
	order  list.List // of *replica, by their first requests
	active int       // loads to clients' memory in progress
}

// add adds a replica. At the limit it removes the oldest that is not being
// loaded.
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
	x.element = r.order.PushBack(x)
	r.byID[id] = x
	return x
}

func (r *replicas) remove(x *replica) {
	r.order.Remove(x.element)
	delete(r.byID, x.id)
}

// removeEnded removes every replica that is not being loaded.
func (r *replicas) removeEnded() {
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

// beginCopying claims an ID for a load to a client's memory. An ID can be used for
// one such load only. If the client has cancelled its request, beginCopying fails:
// the client may have called Abandon already, which found nothing.
func (s *Server) beginCopying(ctx context.Context, id, modelPath string, clock *stage.Timeline) (*replica, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.replicas.byID[id]
	switch {
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	case x != nil && x.copying:
		return nil, status.Errorf(codes.AlreadyExists, "replica %q exists already", id)
	case x != nil && x.modelPath != modelPath:
		return nil, status.Errorf(codes.AlreadyExists, "replica %q is of model %q", id, x.modelPath)
	case s.replicas.active >= maxActive:
		return nil, status.Errorf(codes.ResourceExhausted, "%d loads are in progress, which is the limit: wait for one to end", maxActive)
	case x == nil:
		x = s.replicas.add(id, modelPath, clock)
	}
	x.copying = true
	x.alive, x.cancel = context.WithCancel(s.alive)
	s.replicas.active++
	return x, nil
}

// refuseCopying ends a load that was refused after beginCopying, and forgets its
// replica.
func (s *Server) refuseCopying(x *replica, err error) {
	s.mu.Lock()
	s.replicas.remove(x)
	s.mu.Unlock()
	s.endCopying(x, err)
}

// endCopying ends a load with the status err, and wakes all who wait for it.
func (s *Server) endCopying(x *replica, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicas.active--
	x.cancel()
	x.err = err
	close(x.done)
}

// find returns a replica whose load to a client's memory has begun.
func (s *Server) find(id, modelPath string) (*replica, error) {
	if id == "" || len(id) > maxName {
		return nil, status.Errorf(codes.InvalidArgument, "replica_uuid is empty or over %d bytes", maxName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.replicas.byID[id]
	if x == nil || !x.copying || x.modelPath != modelPath {
		return nil, status.Errorf(codes.NotFound, "there is no replica %.200q of model %.200q: call LoadModelAsync first", id, modelPath)
	}
	return x, nil
}

// wait waits until the load has ended and returns its status.
func (x *replica) wait(ctx context.Context) error {
	select {
	case <-x.done:
		return x.err
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}
