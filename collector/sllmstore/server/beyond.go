package server

import (
	"context"
	"os"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/sllmstore/storagepb"
)

// beyond implements the service that this server offers beyond the contract.
type beyond struct {
	storagepb.UnimplementedBeyondServer
	*Server
}

// Describe returns the server's version, pool and devices.
func (b beyond) Describe(context.Context, *storagepb.DescribeRequest) (*storagepb.DescribeResponse, error) {
	r := &storagepb.DescribeResponse{Version: b.o.Version, Pid: int64(os.Getpid()), PoolLocked: b.LockError() == nil}
	if b.devices[device.Host] != nil {
		r.HostDevice = device.Host
	}
	if err := b.LockError(); err != nil {
		r.PoolLockReason = err.Error()
	}
	return r, nil
}

// Explain returns how the load of a replica went.
func (b beyond) Explain(_ context.Context, r *storagepb.ExplainRequest) (*storagepb.ExplainResponse, error) {
	x, err := b.find(r.GetReplicaUuid(), r.GetModelPath())
	if err != nil {
		return nil, err
	}
	if !x.ended() {
		return nil, status.Errorf(codes.FailedPrecondition, "the load of replica %q has not ended: wait with ConfirmModel", r.GetReplicaUuid())
	}
	return x.explain()
}

// explain returns how a load that has ended went. If the load was refused after
// the replica was found, it returns that error.
func (x *replica) explain() (*storagepb.ExplainResponse, error) {
	if x.first == nil {
		return nil, x.err
	}
	e := &storagepb.ExplainResponse{PoolHit: x.first.Hit, EvictedBytes: x.evicted}
	if x.err == nil {
		e.DirectIo = x.first.Direct()
	}
	for _, s := range x.clock.Stages() {
		e.Stages = append(e.Stages, &storagepb.Stage{Name: s.Name, StartNs: int64(s.Start), EndNs: int64(s.End), BusyNs: int64(s.Busy), Bytes: s.Bytes})
	}
	return e, nil
}

// Abandon cancels the load of a replica, and returns once nothing is written to
// the client's memory any more.
func (b beyond) Abandon(ctx context.Context, r *storagepb.AbandonRequest) (*storagepb.AbandonResponse, error) {
	x, err := b.find(r.GetReplicaUuid(), r.GetModelPath())
	if err != nil {
		return nil, err
	}
	x.cancel()
	select {
	case <-x.done:
		return &storagepb.AbandonResponse{}, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}
