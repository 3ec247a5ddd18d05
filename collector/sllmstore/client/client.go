// Package client is a client of an sllm-store, ServerlessLLM's or sllmq's, and
// starts one as a process. It detects whether a store offers sllmq's service
// beyond the contract.
//
// Every call has a deadline, the context's or a default one: ServerlessLLM's store
// can hang in a call, and then answers no other caller either.
package client

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/sllmstore/storagepb"
	"github.com/sllmq/sllmq/collector/stage"
	"github.com/sllmq/sllmq/internal/text"
)

// callTimeout bounds a call whose context has no deadline.
const callTimeout = 30 * time.Second

// Client is a connection to a store.
type Client struct {
	Address string

	conn    *grpc.ClientConn
	storage storagepb.StorageClient
	beyond  storagepb.BeyondClient
}

// Dial returns a client of the store at address. It connects with the first call.
func Dial(address string) (*Client, error) {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		return nil, fmt.Errorf("connect to the store at %s: %w", address, err)
	}
	return &Client{Address: address, conn: conn, storage: storagepb.NewStorageClient(conn), beyond: storagepb.NewBeyondClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Error is the error of a call.
type Error struct {
	Address, Method string
	Code            codes.Code
	Message         string        // from the server; often empty
	After           time.Duration // time until the call failed
	cause           error         // the context's error, if that ended the call
}

func (e *Error) Error() string {
	what := e.Code.String()
	if e.Code == codes.DeadlineExceeded {
		what = fmt.Sprintf("no answer within %v", e.After.Round(time.Millisecond))
	}
	message := fmt.Sprintf("the store at %s: %s: %s", e.Address, e.Method, what)
	if e.Message != "" && e.Code != codes.DeadlineExceeded {
		message += ": " + oneLine(e.Message)
	}
	return message
}

func (e *Error) Unwrap() error { return e.cause }

// Unanswered reports whether the store did not answer, because it is gone or
// hangs.
func (e *Error) Unanswered() bool {
	return e.Code == codes.Unavailable || e.Code == codes.DeadlineExceeded
}

// call calls f with a deadline.
func call[Q, R any](ctx context.Context, c *Client, method string, f func(context.Context, Q, ...grpc.CallOption) (R, error), q Q) (R, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	begun := time.Now()
	r, err := f(ctx, q)
	if err == nil {
		return r, nil
	}
	e := &Error{Address: c.Address, Method: method, Code: status.Code(err), Message: status.Convert(err).Message(), After: time.Since(begun)}
	switch e.Code {
	case codes.Canceled:
		e.cause = context.Canceled
	case codes.DeadlineExceeded:
		e.cause = context.DeadlineExceeded
	}
	return r, e
}

// MayBeUnregistered reports whether the store may have failed because the model is
// not registered. sllmq's store has a code for that, ServerlessLLM's has not.
func (e *Error) MayBeUnregistered() bool {
	return e.Code == codes.FailedPrecondition || e.Code == codes.Internal
}

// Server describes a store.
type Server struct {
	PoolBytes, ChunkBytes int64
	Beyond                *Beyond // nil: the store implements the contract alone
}

// Beyond is what sllmq's own store adds to its description.
type Beyond struct {
	Version    string
	PID        int64
	HostDevice string // Target.Device for host memory; empty: not supported
	PoolLocked bool
	LockReason string // why the pool is not page-locked
}

// Describe returns the store's description.
func (c *Client) Describe(ctx context.Context) (Server, error) {
	config, err := call(ctx, c, "GetServerConfig", c.storage.GetServerConfig, &storagepb.GetServerConfigRequest{})
	if err != nil {
		return Server{}, err
	}
	s := Server{PoolBytes: config.GetMemPoolSize(), ChunkBytes: config.GetChunkSize()}
	d, err := call(ctx, c, "Describe", c.beyond.Describe, &storagepb.DescribeRequest{})
	switch {
	case isUnimplemented(err):
		return s, nil
	case err != nil:
		return Server{}, err
	}
	s.Beyond = &Beyond{Version: d.GetVersion(), PID: d.GetPid(), HostDevice: d.GetHostDevice(), PoolLocked: d.GetPoolLocked(), LockReason: d.GetPoolLockReason()}
	return s, nil
}

func isUnimplemented(err error) bool {
	e, ok := err.(*Error)
	return ok && e.Code == codes.Unimplemented
}

// Register registers a model with the store and returns its size in bytes.
func (c *Client) Register(ctx context.Context, model string) (int64, error) {
	r, err := call(ctx, c, "RegisterModel", c.storage.RegisterModel, &storagepb.RegisterModelRequest{ModelPath: model})
	return r.GetModelSize(), err
}

// LoadToPool makes the store start to read a model into its pool. The replica is
// the ID of the load to a device that will follow.
func (c *Client) LoadToPool(ctx context.Context, model, replica string) error {
	_, err := call(ctx, c, "LoadModelAsync (CPU)", c.storage.LoadModelAsync, &storagepb.LoadModelRequest{
		ModelPath: model, ReplicaUuid: replica, TargetDeviceType: storagepb.DeviceType_DEVICE_TYPE_CPU,
	})
	return err
}

// Part is a part of a model, and where it goes: From is the offset in the
// partitions laid end to end, To the offset in the target's memory.
type Part struct{ From, Bytes, To int64 }

// Target is memory on one device, and what goes there.
type Target struct {
	Device string // UUID of a GPU, or Beyond.HostDevice
	Handle []byte // CUDA IPC handle, or device.Handle of host memory
	Parts  []Part
}

// LoadToTargets makes the store start to copy a model to memory of this process.
func (c *Client) LoadToTargets(ctx context.Context, model, replica string, targets []Target) error {
	r := &storagepb.LoadModelRequest{
		ModelPath: model, ReplicaUuid: replica, TargetDeviceType: storagepb.DeviceType_DEVICE_TYPE_GPU,
		Chunks: map[string]*storagepb.MemCopyChunkList{}, Handles: map[string]*storagepb.MemCopyHandleList{},
	}
	for _, t := range targets {
		list := &storagepb.MemCopyChunkList{}
		for _, p := range t.Parts {
			list.Chunks = append(list.Chunks, &storagepb.MemCopyChunk{SrcOffset: uint64(p.From), Size: uint64(p.Bytes), DstOffset: uint64(p.To)})
		}
		r.Chunks[t.Device] = list
		r.Handles[t.Device] = &storagepb.MemCopyHandleList{Handles: []*storagepb.MemCopyHandle{{CudaIpcHandle: t.Handle}}}
	}
	_, err := call(ctx, c, "LoadModelAsync (GPU)", c.storage.LoadModelAsync, r)
	return err
}

// Confirm waits until the replica has been copied to its targets.
func (c *Client) Confirm(ctx context.Context, model, replica string) error {
	r, err := call(ctx, c, "ConfirmModel", c.storage.ConfirmModel, &storagepb.ConfirmModelRequest{
		ModelPath: model, ReplicaUuid: replica, TargetDeviceType: storagepb.DeviceType_DEVICE_TYPE_GPU,
	})
	if err == nil && r.GetCode() != 0 {
		err = &Error{Address: c.Address, Method: "ConfirmModel", Code: codes.Unknown, Message: fmt.Sprintf("code %d", r.GetCode())}
	}
	return err
}

// Explained describes a load; only sllmq's own store has it.
type Explained struct {
	PoolHit, Direct bool
	EvictedBytes    int64
	Stages          []stage.Stage // times are since the replica's first request
}

// Explain returns how the load of a replica went.
func (c *Client) Explain(ctx context.Context, model, replica string) (Explained, error) {
	r, err := call(ctx, c, "Explain", c.beyond.Explain, &storagepb.ExplainRequest{ModelPath: model, ReplicaUuid: replica})
	if err != nil {
		return Explained{}, err
	}
	e := Explained{PoolHit: r.GetPoolHit(), Direct: r.GetDirectIo(), EvictedBytes: r.GetEvictedBytes()}
	for _, s := range r.GetStages() {
		e.Stages = append(e.Stages, stage.Stage{Name: s.GetName(), Start: time.Duration(s.GetStartNs()), End: time.Duration(s.GetEndNs()), Busy: time.Duration(s.GetBusyNs()), Bytes: s.GetBytes()})
	}
	return e, nil
}

// Abandon cancels the load of a replica. Once it has returned nil, the store does
// not write to the targets' memory any more.
func (c *Client) Abandon(ctx context.Context, model, replica string) error {
	_, err := call(ctx, c, "Abandon", c.beyond.Abandon, &storagepb.AbandonRequest{ModelPath: model, ReplicaUuid: replica})
	if e, ok := err.(*Error); ok && e.Code == codes.NotFound {
		return nil // the load was refused, and is not in progress
	}
	return err
}

// Unload frees the model's chunks in the pool.
func (c *Client) Unload(ctx context.Context, model string) error {
	_, err := call(ctx, c, "UnloadModel", c.storage.UnloadModel, &storagepb.UnloadModelRequest{ModelPath: model, TargetDeviceType: storagepb.DeviceType_DEVICE_TYPE_CPU})
	return err
}

// Clear frees the chunks of every model.
func (c *Client) Clear(ctx context.Context) error {
	_, err := call(ctx, c, "ClearMem", c.storage.ClearMem, &storagepb.ClearMemRequest{})
	return err
}

// oneLine makes text of a server fit into an error.
func oneLine(s string) string { return text.Clip(text.OneLine(s), 1000) }
