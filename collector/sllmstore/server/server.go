// Package server implements an sllm-store: a gRPC server that keeps models in a
// pool of host memory and copies them to memory that its clients allocated, on
// GPUs or in the host. It implements the contract of ServerlessLLM's store, and
// serves its clients, and adds the service of storagepb/sllmq.proto.
//
// A load that can't succeed is refused at once. Every load that has begun ends,
// and whoever waits for it gets its result. The server validates everything in a
// request before it uses it. Model paths can't leave the storage path.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/pool"
	"github.com/sllmq/sllmq/collector/sllmstore/storagepb"
)

// Limits on requests.
const (
	maxMessage     = 16 << 20 // bytes of a request
	maxConnections = 1024
	maxStreams     = 256     // concurrent requests on one connection
	maxActive      = 256     // loads to clients' memory
	maxRemembered  = 1024    // replicas
	maxRegistered  = 100_000 // models
	maxChunks      = 1 << 18 // in one request's copy lists
	maxHandles     = 256     // in one request
	maxName        = 4096    // bytes of a model path or replica ID
	maxWait        = 10 * time.Minute
)

// Options configure a server.
type Options struct {
	StoragePath          string // folder that the models are below
	PoolBytes            int64
	ChunkBytes           int64
	Threads              int  // least number of reads in flight
	RegistrationRequired bool // refuse to load models that are not registered
	// Devices are where clients may have memory.
	Devices []device.Importer
	// Locker page-locks the pool for GPUs; nil: mlock.
	Locker  hostmem.Locker
	Version string
	Log     *slog.Logger
	Metrics *Metrics // nil: none
}

// Server is an sllm-store. New creates one, and Close ends it.
type Server struct {
	storagepb.UnimplementedStorageServer
	o       Options
	storage *storage
	pool    *pool.Pool
	devices map[string]device.Importer

	alive  context.Context // ends with Close; the context of all loads
	end    context.CancelFunc
	loads  sync.WaitGroup
	health *health.Server

	mu         sync.Mutex
	registered map[string]bool
	replicas   replicas
}

// New creates a server and its pool. That takes as long as touching and locking
// the pool's memory does.
func New(o Options) (*Server, error) {
	s := &Server{o: o, devices: map[string]device.Importer{}, registered: map[string]bool{}, health: health.NewServer()}
	for _, d := range o.Devices {
		uuid, err := d.UUID()
		if err != nil {
			return nil, fmt.Errorf("start the store: %w", err)
		}
		s.devices[uuid] = d
	}
	var err error
	if s.storage, err = openStorage(o.StoragePath); err != nil {
		return nil, fmt.Errorf("start the store: %w", err)
	}
	if s.pool, err = pool.New(pool.Options{Bytes: o.PoolBytes, ChunkBytes: o.ChunkBytes, Threads: o.Threads, Locker: o.Locker}); err != nil {
		return nil, errors.Join(fmt.Errorf("start the store: %w", err), s.storage.close())
	}
	s.alive, s.end = context.WithCancel(context.Background())
	o.Metrics.watch(s.pool)
	return s, nil
}

// LockError returns why the pool is not page-locked; nil if it is.
func (s *Server) LockError() error { return s.pool.LockError() }

// Serve answers requests on l until ctx ends. Then it accepts no more, waits up to
// patience for those in progress, cancels the rest, and returns nil.
func (s *Server) Serve(ctx context.Context, l net.Listener, patience time.Duration) error {
	g := grpc.NewServer(
		grpc.WaitForHandlers(true),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(s.o.Metrics.observe, s.survive),
		grpc.StatsHandler(lenders{s}),
	)
	storagepb.RegisterStorageServer(g, s)
	storagepb.RegisterBeyondServer(g, beyond{Server: s})
	grpc_health_v1.RegisterHealthServer(g, s.health)
	for _, name := range []string{"", storagepb.Storage_ServiceDesc.ServiceName} {
		s.health.SetServingStatus(name, grpc_health_v1.HealthCheckResponse_SERVING)
	}
	reflection.Register(g)

	served := make(chan error, 1)
	go func() { served <- g.Serve(netutil.LimitListener(l, maxConnections)) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	s.health.Shutdown() // watchers learn of it before their connection ends
	ended := make(chan struct{})
	go func() {
		g.GracefulStop()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		s.o.Log.Warn("cancelling requests in progress", "after", patience)
		s.end() // loads fail, so that their requests are answered
		g.Stop()
		<-ended
	}
	return <-served
}

// Close cancels loads in progress and frees the pool.
func (s *Server) Close() error {
	s.end()
	s.loads.Wait()
	return errors.Join(s.pool.Close(), s.storage.close())
}

// storage is the folder that models are below.
type storage struct {
	root *os.Root
	path string
}

func openStorage(path string) (*storage, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open storage path %s: %w", path, err)
	}
	root, err := os.OpenRoot(whole)
	if err != nil {
		return nil, fmt.Errorf("open storage path %s: %w", path, err)
	}
	return &storage{root, whole}, nil
}

func (s *storage) close() error { return s.root.Close() }
