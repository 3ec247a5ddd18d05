package server_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/sllmq/sllmq/collector/sllmstore/storagepb"
)

// FuzzRequests sends a server whatever can be on the wire. It must answer every
// request at once and without a panic, and still load correctly.
func FuzzRequests(f *testing.F) {
	s := start(f)
	want := s.write(f, "model", 2*chunk+512, 512)
	good := allocate(f, len(want))
	hostile := allocate(f, len(want))
	load := func(change func(*storagepb.LoadModelRequest)) []byte {
		r := &storagepb.LoadModelRequest{
			ModelPath: "model", ReplicaUuid: "r", TargetDeviceType: storagepb.DeviceType_DEVICE_TYPE_GPU,
			Chunks:  map[string]*storagepb.MemCopyChunkList{"host": {Chunks: []*storagepb.MemCopyChunk{{Size: 100}, {SrcOffset: 100, Size: 50, DstOffset: 200}}}},
			Handles: map[string]*storagepb.MemCopyHandleList{"host": {Handles: []*storagepb.MemCopyHandle{{CudaIpcHandle: hostile.handle.Bytes}}}},
		}
		change(r)
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	f.Add(uint8(0), load(func(*storagepb.LoadModelRequest) {}))
	f.Add(uint8(0), load(func(r *storagepb.LoadModelRequest) { r.TargetDeviceType = storagepb.DeviceType_DEVICE_TYPE_CPU }))
	f.Add(uint8(0), load(func(r *storagepb.LoadModelRequest) { r.ModelPath = "../model" }))
	f.Add(uint8(0), load(func(r *storagepb.LoadModelRequest) { r.Chunks["host"].Chunks[0].SrcOffset = 1 << 63 }))
	f.Add(uint8(0), load(func(r *storagepb.LoadModelRequest) { r.Chunks["host"].Chunks[0].HandleIdx = 1 << 40 }))
	f.Add(uint8(0), load(func(r *storagepb.LoadModelRequest) { r.Handles["host"].Handles[0].CudaIpcHandle = nil }))
	f.Add(uint8(0), load(func(r *storagepb.LoadModelRequest) { r.Chunks["gpu"] = nil }))
	for method := range uint8(6) {
		f.Add(method, []byte("\x0a\x05model\x12\x01r\x18\x02"))
		f.Add(method, []byte{})
	}
	methods := []func(context.Context, []byte) error{
		method(s.server.LoadModelAsync), method(s.server.ConfirmModel), method(s.server.UnloadModel),
		method(s.server.ClearMem), method(s.server.RegisterModel), method(s.server.GetServerConfig),
	}
	f.Fuzz(func(t *testing.T, which uint8, request []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := methods[int(which)%len(methods)](ctx, request)
		switch status.Code(err) {
		case codes.Unknown, codes.DeadlineExceeded, codes.Internal:
			t.Errorf("answered %v", err)
		}
		if which%16 != 0 {
			return
		}
		replica := t.Name() + time.Now().String()
		clear(good.bytes())
		if err := s.LoadToTargets(ctx, "model", replica, good.target(whole(len(want)))); err != nil {
			t.Fatal(err)
		}
		if err := s.Confirm(ctx, "model", replica); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(good.bytes()[:len(want)], want) {
			t.Error("the next load has wrong bytes")
		}
	})
}

// method returns a call that takes its request in wire format.
func method[Q any, R any, P interface {
	*Q
	proto.Message
}](call func(context.Context, P) (R, error)) func(context.Context, []byte) error {
	return func(ctx context.Context, b []byte) error {
		q := P(new(Q))
		if proto.Unmarshal(b, q) != nil {
			return nil // gRPC refuses it
		}
		_, err := call(ctx, q)
		return err
	}
}
