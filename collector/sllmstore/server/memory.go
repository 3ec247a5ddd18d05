package server

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/sllmstore/storagepb"
)

// GetServerConfig returns the sizes of the pool and its chunks.
func (s *Server) GetServerConfig(context.Context, *storagepb.GetServerConfigRequest) (*storagepb.GetServerConfigResponse, error) {
	return &storagepb.GetServerConfigResponse{MemPoolSize: s.pool.Bytes(), ChunkSize: s.o.ChunkBytes}, nil
}

// RegisterModel registers a model and returns the total size of its partitions.
func (s *Server) RegisterModel(_ context.Context, r *storagepb.RegisterModelRequest) (*storagepb.RegisterModelResponse, error) {
	m, err := s.storage.open(r.GetModelPath())
	if err != nil {
		return nil, err
	}
	defer m.close()
	if err := s.register(r.GetModelPath(), true); err != nil {
		return nil, err
	}
	return &storagepb.RegisterModelResponse{ModelPath: r.GetModelPath(), ModelSize: m.FileBytes()}, nil
}

// register registers a model if may is set. It fails if the model is not
// registered then.
func (s *Server) register(modelPath string, may bool) error {
	dir, _, err := s.storage.place(modelPath)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.registered[dir]:
		return nil
	case !may:
		return status.Errorf(codes.FailedPrecondition, "model %q is not registered, as this server requires: call RegisterModel first", modelPath)
	case len(s.registered) >= maxRegistered:
		return status.Errorf(codes.ResourceExhausted, "%d models are registered, which is the limit: ClearMem forgets them", maxRegistered)
	}
	s.registered[dir] = true
	return nil
}

// UnloadModel frees a model's chunks. It fails if the model is in use.
func (s *Server) UnloadModel(_ context.Context, r *storagepb.UnloadModelRequest) (*storagepb.UnloadModelResponse, error) {
	if r.GetTargetDeviceType() != storagepb.DeviceType_DEVICE_TYPE_CPU {
		return nil, status.Errorf(codes.Unimplemented, "cannot unload from %v: the target must be CPU", r.GetTargetDeviceType())
	}
	dir, _, err := s.storage.place(r.GetModelPath())
	if err != nil {
		return nil, err
	}
	present, err := s.pool.Drop(dir)
	switch {
	case err != nil:
		return nil, status.Errorf(codes.FailedPrecondition, "unload %q: %v; wait for its loads to end", r.GetModelPath(), err)
	case !present:
		return nil, status.Errorf(codes.NotFound, "model %q is not in host memory", r.GetModelPath())
	}
	return &storagepb.UnloadModelResponse{ModelPath: r.GetModelPath()}, nil
}

// ClearMem frees the chunks of every idle model, and forgets registrations and
// finished replicas. It fails, after that, if models are in use.
func (s *Server) ClearMem(context.Context, *storagepb.ClearMemRequest) (*storagepb.ClearMemResponse, error) {
	inUse := s.pool.Clear()
	s.mu.Lock()
	clear(s.registered)
	s.replicas.removeEnded()
	s.mu.Unlock()
	if inUse > 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "%d models are in use and stay in host memory: wait for their loads to end", inUse)
	}
	return &storagepb.ClearMemResponse{}, nil
}
