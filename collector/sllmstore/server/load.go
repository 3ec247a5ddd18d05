package server

import (
	"context"
	"errors"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/sllmstore/storagepb"
	"github.com/sllmq/sllmq/collector/stage"
)

// LoadModelAsync starts a load to the pool (CPU) or to the client's memory (GPU)
// and returns at once. It refuses a load that can't succeed. A pooled model is
// used only if its files have not changed: see package pool.
func (s *Server) LoadModelAsync(ctx context.Context, r *storagepb.LoadModelRequest) (*storagepb.LoadModelResponse, error) {
	id := r.GetReplicaUuid()
	if len(id) > maxName {
		return nil, status.Errorf(codes.InvalidArgument, "replica_uuid is over %d bytes", maxName)
	}
	m, err := s.storage.open(r.GetModelPath())
	if err != nil {
		return nil, err
	}
	defer m.close()
	if err := s.register(r.GetModelPath(), !s.o.RegistrationRequired); err != nil {
		return nil, err
	}
	switch r.GetTargetDeviceType() {
	case storagepb.DeviceType_DEVICE_TYPE_CPU:
		err = s.loadToPool(m, id, r.GetModelPath())
	case storagepb.DeviceType_DEVICE_TYPE_GPU:
		err = s.loadToClient(ctx, m, r)
	default:
		err = status.Errorf(codes.Unimplemented, "cannot load to %v: the target must be CPU or GPU", r.GetTargetDeviceType())
	}
	if err != nil {
		return nil, err
	}
	return &storagepb.LoadModelResponse{ModelPath: r.GetModelPath()}, nil
}

// loadToPool starts to read a model into the pool. The ID may be empty.
func (s *Server) loadToPool(m *model, id, modelPath string) error {
	clock := stage.Begin()
	f, err := s.pool.Fetch(s.alive, m.Checkpoint, m.openFiles, clock)
	if err != nil {
		return refusal(modelPath, err)
	}
	if id != "" {
		s.mu.Lock()
		if s.replicas.byID[id] == nil {
			x := s.replicas.add(id, modelPath, clock)
			x.first, x.evicted = f, f.Evicted
		}
		s.mu.Unlock()
	}
	f.Release() // a model that is only in the pool has no user and may be evicted
	s.loads.Go(func() {
		if err := f.Wait(s.alive); err != nil {
			s.o.Log.Error("loading to the pool failed", "model", modelPath, "error", err)
			s.o.Metrics.loaded("pool", false, 0, 0)
			return
		}
		if f.Hit || f.Joined {
			return
		}
		s.o.Log.Info("loaded to the pool", "model", modelPath, "bytes", m.FileBytes(), "seconds", clock.Elapsed().Seconds(), "direct", f.Direct())
		s.o.Metrics.loaded("pool", true, m.FileBytes(), clock.Elapsed())
	})
	return nil
}

// loadToClient starts to copy a model to the client's memory from the pool, into
// which it is read first if it is not there.
func (s *Server) loadToClient(ctx context.Context, m *model, r *storagepb.LoadModelRequest) error {
	if r.GetReplicaUuid() == "" {
		return status.Error(codes.InvalidArgument, "replica_uuid is empty")
	}
	bases, total := make([]int64, len(m.Files)), int64(0)
	for i, f := range m.Files {
		bases[i] = total
		total += f.Size
	}
	pieces, targets, err := s.parseCopies(r, total)
	if err != nil {
		return err
	}
	x, err := s.beginCopying(ctx, r.GetReplicaUuid(), r.GetModelPath(), stage.Begin())
	if err != nil {
		return err
	}
	c, err := s.openCopies(ctx, pieces, targets)
	if err != nil {
		s.refuseCopying(x, err)
		return err
	}
	f, err := s.pool.Fetch(s.alive, m.Checkpoint, m.openFiles, x.clock)
	if err != nil {
		err = refusal(r.GetModelPath(), err)
		c.free()
		s.refuseCopying(x, err)
		return err
	}
	s.mu.Lock()
	if x.first == nil {
		x.first = f
	}
	x.evicted += f.Evicted
	s.mu.Unlock()
	s.loads.Go(func() {
		err := f.CopyTo(x.alive, x.clock, c.destination(bases))
		c.free() // before the client learns of it: nothing is written any more
		f.Release()
		s.endCopying(x, s.outcome(x, err, pieces))
	})
	return nil
}

// outcome logs and counts a load to a client's memory and returns its status.
func (s *Server) outcome(x *replica, err error, pieces []copyPiece) error {
	var bytes int64
	for _, p := range pieces {
		bytes += p.bytes
	}
	took := x.clock.Elapsed()
	s.o.Metrics.loaded("client", err == nil, bytes, took)
	switch {
	case err == nil:
		s.o.Log.Info("loaded to a client", "model", x.modelPath, "replica", x.id, "bytes", bytes, "seconds", took.Seconds(), "hit", x.first.Hit)
		return nil
	case x.alive.Err() != nil && errors.Is(err, context.Canceled):
		s.o.Log.Info("a load to a client was cancelled", "model", x.modelPath, "replica", x.id)
		return status.Errorf(codes.Aborted, "load %q: cancelled", x.modelPath)
	default:
		s.o.Log.Error("loading to a client failed", "model", x.modelPath, "replica", x.id, "error", err)
		return refusal(x.modelPath, err)
	}
}

// ConfirmModel waits until a replica has been loaded to the client's memory, for
// at most maxWait. It fails at once if there is no such replica.
func (s *Server) ConfirmModel(ctx context.Context, r *storagepb.ConfirmModelRequest) (*storagepb.ConfirmModelResponse, error) {
	if r.GetTargetDeviceType() != storagepb.DeviceType_DEVICE_TYPE_GPU {
		return nil, status.Errorf(codes.Unimplemented, "cannot confirm a load to %v: the target must be GPU", r.GetTargetDeviceType())
	}
	if _, _, err := s.storage.place(r.GetModelPath()); err != nil {
		return nil, err
	}
	x, err := s.find(r.GetReplicaUuid(), r.GetModelPath())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if err := x.wait(ctx); err != nil {
		return nil, err
	}
	return &storagepb.ConfirmModelResponse{ModelPath: r.GetModelPath()}, nil
}

// survive turns a panic into an error of its request, since the server has other
// clients.
func (s *Server) survive(ctx context.Context, r any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error("a request panicked", "method", info.FullMethod, "panic", p, "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, "internal error: see the server's log")
		}
	}()
	return handler(ctx, r)
}
