package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/sllmstore/server"
	"github.com/sllmq/sllmq/collector/sllmstore/storagepb"
)

func deadline(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func TestExplain(t *testing.T) {
	s := start(t, func(o *server.Options) { o.PoolBytes = 10 * chunk })
	want := s.write(t, "model", 6*chunk)
	for i, hit := range []bool{false, true} {
		replica := fmt.Sprint("replica-", i)
		s.load(t, "model", replica, want)
		e, err := s.Explain(t.Context(), "model", replica)
		if err != nil || e.PoolHit != hit || e.EvictedBytes != 0 || hit && e.Direct {
			t.Errorf("%+v, %v", e, err)
		}
		moved := map[string]int64{}
		for _, x := range e.Stages {
			moved[x.Name] = x.Bytes
			if x.Start < 0 || x.End < x.Start || x.Busy <= 0 {
				t.Errorf("stage %+v", x)
			}
		}
		if moved["copy"] != int64(len(want)) || (moved["read"] == int64(len(want))) == hit {
			t.Errorf("hit %v: moved %v", hit, moved)
		}
	}
	other := s.write(t, "other", 5*chunk)
	s.load(t, "other", "evicts", other)
	if e, err := s.Explain(t.Context(), "other", "evicts"); err != nil || e.EvictedBytes != 6*chunk {
		t.Errorf("%+v, %v", e, err)
	}
	_, err := s.Explain(t.Context(), "model", "nobody")
	refused(t, "nobody", err, codes.NotFound)

	d, err := s.Describe(t.Context())
	if err != nil || d.PoolBytes != 10*chunk || d.ChunkBytes != chunk || d.Beyond == nil || d.Beyond.PID != int64(os.Getpid()) || d.Beyond.HostDevice != device.Host {
		t.Errorf("%+v, %v", d, err)
	}
	size, err := s.Register(t.Context(), "model")
	if err != nil || size != 6*chunk {
		t.Errorf("%d bytes, %v", size, err)
	}
}

func TestTwoLoadsAtOnceReadOnce(t *testing.T) {
	s := start(t)
	want := s.write(t, "model", 100*chunk)
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { s.load(t, "model", fmt.Sprint("replica-", i), want) })
	}
	wg.Wait()
	var read int64
	for i := range 2 {
		e, err := s.Explain(t.Context(), "model", fmt.Sprint("replica-", i))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range e.Stages {
			if x.Name == "read" {
				read += x.Bytes
			}
		}
	}
	if read != int64(len(want)) {
		t.Errorf("%d bytes were read, want %d", read, len(want))
	}
}

func TestSixtyFourClientsAtOnce(t *testing.T) {
	s := start(t, func(o *server.Options) { o.PoolBytes = 24 * chunk })
	models := map[string][]byte{}
	for i := range 4 {
		name := fmt.Sprint("model-", i)
		models[name] = s.write(t, name, 4*chunk+i, 2*chunk)
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			c, err := client.Dial(s.Address)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			m := allocate(t, 6*chunk+10)
			for round := range 3 {
				model := fmt.Sprint("model-", (i+round)%4)
				replica := fmt.Sprintf("%s, client %d, round %d", model, i, round)
				want := models[model]
				clear(m.bytes())
				// The pool does not have room for all four: clients that find none
				// are refused and try again.
				for {
					err := c.LoadToTargets(t.Context(), model, replica, m.target(whole(len(want))))
					if err == nil {
						break
					}
					refused(t, "a full pool", err, codes.ResourceExhausted)
					time.Sleep(time.Millisecond)
				}
				if err := c.Confirm(t.Context(), model, replica); err != nil {
					t.Error(err)
				} else if !bytes.Equal(m.bytes()[:len(want)], want) {
					t.Errorf("%s has wrong bytes", replica)
				}
			}
		})
	}
	wg.Wait()
}

func TestPathsStayBelowTheStoragePath(t *testing.T) {
	s := start(t)
	want := s.write(t, "models/good", chunk)
	secret := filepath.Join(t.TempDir(), "secret")
	outside := &store{dir: filepath.Dir(secret)}
	outside.write(t, "secret", chunk)
	for link, to := range map[string]string{"escape": secret, "relative": "../" + filepath.Base(filepath.Dir(secret)) + "/secret", "inside": "models/good"} {
		if err := os.Symlink(to, filepath.Join(s.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	// A partition that is a link to a file outside.
	if err := os.Mkdir(filepath.Join(s.dir, "leaky"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(secret, "tensor.data_0"), filepath.Join(s.dir, "leaky", "tensor.data_0")); err != nil {
		t.Fatal(err)
	}
	for path, code := range map[string]codes.Code{
		"":                              codes.InvalidArgument,
		"..":                            codes.InvalidArgument,
		"../secret":                     codes.InvalidArgument,
		"models/../../secret":           codes.InvalidArgument,
		secret:                          codes.InvalidArgument,
		"/":                             codes.InvalidArgument,
		"models/good\x00":               codes.InvalidArgument,
		strings.Repeat("a", 5000):       codes.InvalidArgument,
		strings.Repeat("a", 300):        codes.FailedPrecondition,
		"escape":                        codes.FailedPrecondition,
		"relative":                      codes.FailedPrecondition,
		"leaky":                         codes.FailedPrecondition,
		"nowhere":                       codes.NotFound,
		"models":                        codes.NotFound,
		"models/good/tensor.data_0":     codes.FailedPrecondition,
		"models/good/tensor.data_0/..":  codes.OK, // models/good itself
		"models/./good/":                codes.OK,
		"inside":                        codes.OK,
		"models/good/../../models/good": codes.OK,
	} {
		_, err := s.Register(t.Context(), path)
		if code == codes.OK && err != nil {
			t.Errorf("%q: %v", path, err)
		}
		if code == codes.OK {
			continue
		}
		refused(t, fmt.Sprintf("registering %.50q", path), err, code)
		refused(t, fmt.Sprintf("loading %.50q", path), s.LoadToPool(t.Context(), path, "replica"), code)
	}
	s.load(t, "inside", "by a link", want)
}

func TestRegistrationMayBeRequired(t *testing.T) {
	s := start(t, func(o *server.Options) { o.RegistrationRequired = true })
	want := s.write(t, "model", chunk)
	refused(t, "unregistered", s.LoadToPool(t.Context(), "model", ""), codes.FailedPrecondition)
	if _, err := s.Register(t.Context(), "model"); err != nil {
		t.Fatal(err)
	}
	s.load(t, "model", "replica", want)
	if err := s.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(t, "forgotten", s.LoadToPool(t.Context(), "model", ""), codes.FailedPrecondition)
}

// Once Abandon has returned, the client may reuse its memory.
func TestAnAbandonedLoadStopsWriting(t *testing.T) {
	g := newGate()
	s := start(t, g.options)
	want := s.write(t, "model", 100*chunk)
	m := allocate(t, len(want))
	if err := s.LoadToTargets(t.Context(), "model", "replica", m.target(whole(len(want)))); err != nil {
		t.Fatal(err)
	}
	<-g.begun
	time.AfterFunc(50*time.Millisecond, func() { close(g.open) })
	if err := s.Abandon(soon(t), "model", "replica"); err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(m.bytes())
	time.Sleep(20 * time.Millisecond)
	if !bytes.Equal(before, m.bytes()) {
		t.Error("the memory was written to after Abandon")
	}
	refused(t, "waiting for it", s.Confirm(soon(t), "model", "replica"), codes.Aborted)
	if err := s.Abandon(soon(t), "model", "nobody"); err != nil {
		t.Error(err)
	}
	s.load(t, "model", "another", want)
}

func TestADeviceErrorFailsTheLoad(t *testing.T) {
	g := newGate()
	g.fail = errors.New("the device fell off the bus")
	close(g.open)
	s := start(t, g.options)
	want := s.write(t, "model", 10*chunk)
	if err := s.LoadToTargets(t.Context(), "model", "replica", allocate(t, len(want)).target(whole(len(want)))); err != nil {
		t.Fatal(err)
	}
	err := s.Confirm(soon(t), "model", "replica")
	refused(t, "confirming", err, codes.Internal)
	if err == nil || !strings.Contains(err.Error(), "fell off the bus") {
		t.Errorf("error %v", err)
	}
}

// A server that is stopped lets requests finish, within its patience.
func TestAServerEndsGracefully(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		g := newGate()
		s := start(t, g.options)
		want := s.write(t, "model", 10*chunk)
		m := allocate(t, len(want))
		if err := s.LoadToTargets(t.Context(), "model", "replica", m.target(whole(len(want)))); err != nil {
			t.Fatal(err)
		}
		<-g.begun
		confirmed := make(chan error, 1)
		go func() { confirmed <- s.Confirm(t.Context(), "model", "replica") }()
		time.Sleep(20 * time.Millisecond) // until it is in progress
		after := 10 * time.Millisecond
		if hangs {
			after = 400 * time.Millisecond // longer than the patience
		}
		time.AfterFunc(after, func() { close(g.open) })
		s.stop()
		err := <-confirmed
		if !hangs && (err != nil || !bytes.Equal(m.bytes()[:len(want)], want)) {
			t.Errorf("a request in progress: %v", err)
		}
		if hangs && err == nil {
			t.Error("a cancelled load was confirmed")
		}
	}
}

func TestHealthAndReflection(t *testing.T) {
	s := start(t)
	conn, err := grpc.NewClient(s.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, service := range []string{"", "storage.Storage"} {
		r, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", service, r, err)
		}
	}
	stream, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "storage.Storage"}}); err != nil {
		t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil || len(r.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Errorf("%v, %v", r, err)
	}
	_ = stream.CloseSend()
}

func TestRequestsAreBounded(t *testing.T) {
	s := start(t)
	want := s.write(t, "model", chunk)
	m := allocate(t, len(want))
	conn, err := grpc.NewClient(s.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = storagepb.NewStorageClient(conn).RegisterModel(t.Context(), &storagepb.RegisterModelRequest{ModelPath: strings.Repeat("a", 17<<20)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("17 MiB: %v", err)
	}
	targets := m.target()
	for range 1<<18 + 1 {
		targets[0].Parts = append(targets[0].Parts, client.Part{})
	}
	refused(t, "too many chunks", s.LoadToTargets(t.Context(), "model", "replica", targets), codes.InvalidArgument)
	refused(t, "a long id", s.LoadToTargets(t.Context(), "model", strings.Repeat("a", 5000), m.target(whole(1))), codes.InvalidArgument)
	refused(t, "no id", s.LoadToTargets(t.Context(), "model", "", m.target(whole(1))), codes.InvalidArgument)
	// Bytes that are not gRPC.
	raw, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = raw.Write(bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 1000))
	_, _ = io.Copy(io.Discard, raw)
	_ = raw.Close()
	s.load(t, "model", "replica", want)
}

func TestTheOldestEndedReplicasAreForgotten(t *testing.T) {
	s := start(t)
	want := s.write(t, "model", 512)
	m := allocate(t, len(want))
	for i := range 1100 { // more than maxRemembered
		replica := fmt.Sprint(i)
		if err := s.LoadToTargets(t.Context(), "model", replica, m.target(whole(len(want)))); err != nil {
			t.Fatal(err)
		}
		if err := s.Confirm(t.Context(), "model", replica); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, "the first", s.Confirm(t.Context(), "model", "0"), codes.NotFound)
	if err := s.Confirm(t.Context(), "model", "1099"); err != nil {
		t.Error(err)
	}
}

func TestMetricsCountLoads(t *testing.T) {
	m := server.NewMetrics()
	s := start(t, func(o *server.Options) { o.Metrics = m })
	want := s.write(t, "model", 5*chunk)
	s.load(t, "model", "replica", want)
	refused(t, "nobody", s.Confirm(t.Context(), "model", "nobody"), codes.NotFound)
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		fmt.Sprintf("sllmq_store_pool_bytes %g", float64(128*chunk)),
		fmt.Sprintf("sllmq_store_pool_free_bytes %g", float64(123*chunk)),
		"sllmq_store_pool_models 1",
		`sllmq_store_loaded_bytes_total{to="client"} 327680`,
		`sllmq_store_load_seconds_count{to="client"} 1`,
		`sllmq_store_request_seconds_count{code="NotFound",method="ConfirmModel"} 1`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("no %q in\n%s", line, w.Body)
		}
	}
}

// Clients pass GPU memory as the handles that the driver exports.
func TestLoadingToGPUs(t *testing.T) {
	library := cudatest.Build(t, "devices=2")
	driver, err := cuda.Open(library.Path)
	if err != nil {
		t.Fatal(err)
	}
	// The server's GPUs and the client's, which are normally in two processes.
	both, err := device.OpenCUDA(driver, []int{0, 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := both.Close(); err != nil {
			t.Error(err)
		}
	})
	s := start(t, func(o *server.Options) {
		o.Locker, o.Devices = device.LockerOf(both), append(o.Devices, device.Importers(both)...)
	})
	want := s.write(t, "model", 3*chunk, 2*chunk)
	half := int64(len(want)) / 2
	var targets []client.Target
	var memories []device.Memory
	for i := range 2 {
		d, err := device.OpenCUDA(driver, []int{i}, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		m, err := d.Allocate(half)
		if err != nil {
			t.Fatal(err)
		}
		h, err := m.(device.Exporter).Export()
		if err != nil {
			t.Fatal(err)
		}
		memories = append(memories, m)
		targets = append(targets, client.Target{Device: h.Device, Handle: h.Bytes, Parts: []client.Part{{From: int64(i) * half, Bytes: half}}})
	}
	if err := s.LoadToTargets(t.Context(), "model", "replica", targets); err != nil {
		t.Fatal(err)
	}
	if err := s.Confirm(t.Context(), "model", "replica"); err != nil {
		t.Fatal(err)
	}
	for i, m := range memories {
		got := make([]byte, half)
		if err := m.Read(0, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want[int64(i)*half:int64(i+1)*half]) {
			t.Errorf("GPU %d has wrong bytes", i)
		}
	}
	past := []client.Target{{Device: targets[0].Device, Handle: targets[0].Handle, Parts: []client.Part{{Bytes: 2, To: half - 1}}}}
	refused(t, "past the allocation", s.LoadToTargets(t.Context(), "model", "past", past), codes.InvalidArgument)
	bad := []client.Target{{Device: targets[0].Device, Handle: make([]byte, 64), Parts: []client.Part{{Bytes: 1}}}}
	refused(t, "a bad handle", s.LoadToTargets(t.Context(), "model", "bad", bad), codes.InvalidArgument)
	for _, m := range memories {
		if err := m.Free(); err != nil {
			t.Error(err)
		}
	}
}
