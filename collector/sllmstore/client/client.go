// Package client speaks to an sllm-store: ServerlessLLM's own, or sllmq's,
// whose offers beyond the contract it finds out. It starts one too.
//
// Every call has a deadline, its context's or the client's own: ServerlessLLM's
// store can wait without end, and keeps every other caller waiting meanwhile.
package client

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/sllmstore/storagepb"
	"github.com/sllmq/sllmq/collector/stage"
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

// Dial prepares to speak to the store at address; the first call connects.
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

// Error is a call that failed.
type Error struct {
	Address, Method string
	Code            codes.Code
	Message         string        // the server's; often empty
	After           time.Duration // until it failed
	cause           error         // the context's, if that ended it
}

func (e *Error) Error() string {
	what := e.Code.String()
	if e.Code == codes.DeadlineExceeded {
		what = fmt.Sprintf("no answer within %v", e.After.Round(time.Millisecond))
	}
	text := fmt.Sprintf("the store at %s: %s: %s", e.Address, e.Method, what)
	if e.Message != "" && e.Code != codes.DeadlineExceeded {
		text += ": " + oneLine(e.Message)
	}
	return text
}

func (e *Error) Unwrap() error { return e.cause }

// Unanswered says that the store gave no answer: it is gone, or hangs.
func (e *Error) Unanswered() bool {
	return e.Code == codes.Unavailable || e.Code == codes.DeadlineExceeded
}

// call makes a call with a deadline.
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

// MayBeUnregistered says that the store may have wanted the model registered:
// sllmq's says so, ServerlessLLM's only that it failed.
func (e *Error) MayBeUnregistered() bool {
	return e.Code == codes.FailedPrecondition || e.Code == codes.Internal
}

// Server is what a store says it is.
type Server struct {
	PoolBytes, ChunkBytes int64
	Beyond                *Beyond // nil: it offers nothing beyond the contract
}

// Beyond is what sllmq's own server says besides.
type Beyond struct {
	Version    string
	PID        int64
	HostDevice string // the device of memory of the host; empty: it takes none
	PoolLocked bool
	LockReason string // why the pool is not page-locked
}

// Describe asks the store what it is.
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

// Register lets the store read how large a model is, in bytes.
func (c *Client) Register(ctx context.Context, model string) (int64, error) {
	r, err := call(ctx, c, "RegisterModel", c.storage.RegisterModel, &storagepb.RegisterModelRequest{ModelPath: model})
	return r.GetModelSize(), err
}

// LoadToPool lets the store begin to bring a model to host memory. The replica
// is the one that will be loaded from there.
func (c *Client) LoadToPool(ctx context.Context, model, replica string) error {
	_, err := call(ctx, c, "LoadModelAsync (CPU)", c.storage.LoadModelAsync, &storagepb.LoadModelRequest{
		ModelPath: model, ReplicaUuid: replica, TargetDeviceType: storagepb.DeviceType_DEVICE_TYPE_CPU,
	})
	return err
}

// Part is a stretch of a model's partitions, laid end to end, and where in a
// target's memory it goes.
type Part struct{ From, Bytes, To int64 }

// Target is memory on one device, and what goes there.
type Target struct {
	Device string // as the store spells it
	Handle []byte
	Parts  []Part
}

// LoadToTargets lets the store begin to bring a model to memory of this
// process.
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

// Confirm waits until the replica lies in the targets' memory.
func (c *Client) Confirm(ctx context.Context, model, replica string) error {
	r, err := call(ctx, c, "ConfirmModel", c.storage.ConfirmModel, &storagepb.ConfirmModelRequest{
		ModelPath: model, ReplicaUuid: replica, TargetDeviceType: storagepb.DeviceType_DEVICE_TYPE_GPU,
	})
	if err == nil && r.GetCode() != 0 {
		err = &Error{Address: c.Address, Method: "ConfirmModel", Code: codes.Unknown, Message: fmt.Sprintf("code %d", r.GetCode())}
	}
	return err
}

// Explained is how a load went, by sllmq's own server.
type Explained struct {
	PoolHit, Direct bool
	EvictedBytes    int64
	Stages          []stage.Stage // since the replica's first request came
}

// Explain asks how the load of a replica went.
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

// Abandon ends the load of a replica. When it returns nil, the store writes to
// its targets' memory no more.
func (c *Client) Abandon(ctx context.Context, model, replica string) error {
	_, err := call(ctx, c, "Abandon", c.beyond.Abandon, &storagepb.AbandonRequest{ModelPath: model, ReplicaUuid: replica})
	if e, ok := err.(*Error); ok && e.Code == codes.NotFound {
		return nil // it was refused, and is not under way
	}
	return err
}

// Unload frees the model's host memory.
func (c *Client) Unload(ctx context.Context, model string) error {
	_, err := call(ctx, c, "UnloadModel", c.storage.UnloadModel, &storagepb.UnloadModelRequest{ModelPath: model, TargetDeviceType: storagepb.DeviceType_DEVICE_TYPE_CPU})
	return err
}

// Clear frees the host memory of every model.
func (c *Client) Clear(ctx context.Context) error {
	_, err := call(ctx, c, "ClearMem", c.storage.ClearMem, &storagepb.ClearMemRequest{})
	return err
}

// oneLine makes a server's text fit into an error.
func oneLine(s string) string {
	const most = 1000
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
