// Package server is an sllm-store: a process that keeps models in a pool of
// host memory and brings them from there to memory that its clients allocated,
// on GPUs or in the host. It speaks the contract of ServerlessLLM's own, whose
// clients may use it.
//
// A load is answered at once if it can't succeed, and ends, one way or the
// other, if it was begun: whoever waits for it is told. What a client says is
// held against what there is before it is used. Model paths lie below the
// storage path and lead nowhere else.
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

// Bounds on what clients may ask for.
const (
	maxMessage     = 16 << 20 // bytes of a request
	maxConnections = 1024
	maxStreams     = 256 // requests under way on one connection
	maxUnderWay    = 256 // replicas
	maxRemembered  = 1024
	maxRegistered  = 100_000
	maxChunks      = 1 << 18 // of one request's copy lists
	maxHandles     = 256     // of one request
	maxName        = 4096    // bytes of a model path or a replica's id
	longestWait    = 10 * time.Minute
)

// Options are what a server is made from.
type Options struct {
	StoragePath          string // models lie below it
	PoolBytes            int64
	ChunkBytes           int64
	Threads              int  // reads under way, at least
	RegistrationRequired bool // a model is registered before it is loaded
	// Devices are those on which clients may have memory.
	Devices []device.Importer
	// Locker page-locks the pool for GPUs; nil: mlock.
	Locker  hostmem.Locker
	Version string
	Log     *slog.Logger
	Metrics *Metrics // nil: none are kept
}

// Server keeps models. It is made by New and ended by Close.
type Server struct {
	storagepb.UnimplementedStorageServer
	o       Options
	storage *storage
	pool    *pool.Pool
	devices map[string]device.Importer

	alive  context.Context // until Close: what loads run under
	end    context.CancelFunc
	loads  sync.WaitGroup
	health *health.Server

	mu         sync.Mutex
	registered map[string]bool
	replicas   replicas
}

// New makes a server and its pool, which takes as long as filling and locking
// its memory does.
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

// LockError is why the pool is not page-locked; nil if it is.
func (s *Server) LockError() error { return s.pool.LockError() }

// Serve answers requests on l until ctx ends. Then it takes no more, lets
// those under way end within patience, gives up the rest, and returns nil.
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
	s.health.Shutdown() // watchers hear of it before their connection ends
	ended := make(chan struct{})
	go func() {
		g.GracefulStop()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		s.o.Log.Warn("requests are given up", "after", patience)
		s.end() // their loads fail, and so they are answered
		g.Stop()
		<-ended
	}
	return <-served
}

// Close gives up the loads under way and gives the pool's memory back.
func (s *Server) Close() error {
	s.end()
	s.loads.Wait()
	return errors.Join(s.pool.Close(), s.storage.close())
}

// storage is the folder that models lie below.
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
