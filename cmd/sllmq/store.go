package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/sllmstore/server"
	"github.com/sllmq/sllmq/internal/size"
)

func newStoreCommand(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "Keep models in host memory for other processes, like sllm-store",
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args:  noArguments,
	}
	c.AddCommand(newStoreServeCommand(env))
	return c
}

// storeOptions are the flags of store serve: those of sllm-store, and a few more.
type storeOptions struct {
	server     server.Options
	host       string
	port       int
	metrics    string
	patience   time.Duration
	pool, size sizeValue
}

func newStoreServeCommand(env *environment) *cobra.Command {
	o := storeOptions{server: server.Options{PoolBytes: 4 << 30, ChunkBytes: 16 << 20}}
	o.pool, o.size = sizeValue{&o.server.PoolBytes}, sizeValue{&o.server.ChunkBytes}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve sllm-store's gRPC contract over a pool of page-locked memory",
		Long: `Serve ServerlessLLM's sllm-store contract: load models in the SLLM format below
the storage path to a pool of page-locked host memory, and from there to the
clients' memory, on GPUs or the host. It accepts sllm-store's flags.

There is no authentication, so it listens on the loopback interface unless
--host is given. On SIGTERM it finishes the current requests and exits.`,
		Example: `  sllmq store serve --storage-path ./models --mem-pool-size 32GB
  sllmq collect --loader store --store-address 127.0.0.1:8073 --storage-path ./models`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	f := c.Flags()
	f.StringVar(&o.server.StoragePath, "storage-path", "./models", "folder that the models are below")
	f.Var(&o.pool, "mem-pool-size", "host memory of the pool")
	f.Var(&o.size, "chunk-size", "chunk size of the pool")
	f.IntVar(&o.server.Threads, "num-thread", 4, "minimum number of concurrent reads")
	f.StringVar(&o.host, "host", "127.0.0.1", "address to listen on")
	f.IntVar(&o.port, "port", 8073, "port to listen on; 0: any free port")
	f.BoolVar(&o.server.RegistrationRequired, "registration-required", false, "refuse to load models that are not registered")
	f.StringVar(&o.metrics, "metrics-address", "", "address to serve Prometheus metrics on, under /metrics, such as 127.0.0.1:9073 (default: none)")
	f.DurationVar(&o.patience, "grace", 10*time.Second, "time limit for current requests on shutdown")
	return c
}

// validate checks the flags before memory is allocated.
func (o *storeOptions) validate() error {
	s := &o.server
	switch {
	case s.ChunkBytes%directio.Align != 0 || s.ChunkBytes > 1<<30:
		return &usageError{fmt.Errorf("--chunk-size: %s is not a multiple of 4KB of at most 1GB", size.Exact(s.ChunkBytes))}
	case s.PoolBytes < s.ChunkBytes:
		return &usageError{fmt.Errorf("--mem-pool-size: %s is less than a chunk of %s", size.Exact(s.PoolBytes), size.Exact(s.ChunkBytes))}
	case s.Threads < 1 || s.Threads > 1024:
		return &usageError{fmt.Errorf("--num-thread: %d is not between 1 and 1024", s.Threads)}
	case o.port < 0 || o.port > 65535:
		return &usageError{fmt.Errorf("--port: %d is not between 0 and 65535", o.port)}
	case o.patience < 0:
		return &usageError{fmt.Errorf("--grace: %v is negative", o.patience)}
	}
	available, err := machine.AvailableMemory()
	if err == nil && s.PoolBytes > available {
		return fmt.Errorf("--mem-pool-size: %s is more than the %s of available memory",
			size.Exact(s.PoolBytes), size.Binary(available))
	}
	return nil
}

func (o *storeOptions) run(ctx context.Context, env *environment) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(env.stderr, nil))
	o.server.Log, o.server.Version = log, version()
	o.server.Devices = []device.Importer{device.HostImporter{}}
	gpus, err := device.OpenAll()
	if err != nil {
		log.Info("serving no GPUs", "reason", err)
	} else {
		defer func() { err = errors.Join(err, gpus.Close()) }()
		o.server.Locker = device.LockerOf(gpus)
		o.server.Devices = append(o.server.Devices, device.Importers(gpus)...)
		log.Info("serving GPUs", "devices", gpus.Name())
	}
	// Ports first: if one is taken, no memory is filled for nothing.
	l, err := net.Listen("tcp", net.JoinHostPort(o.host, strconv.Itoa(o.port)))
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	defer l.Close()
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		log.Warn("anyone who can reach this address can load models", "address", l.Addr().String())
	}
	stopMetrics, err := o.serveMetrics(log)
	if err != nil {
		return err
	}
	defer stopMetrics()
	begun := time.Now()
	s, err := server.New(o.server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	log.Info("pool ready", "bytes", o.server.PoolBytes, "seconds", time.Since(begun).Seconds())
	if err := s.LockError(); err != nil {
		log.Warn("the pool is not page-locked (raise the limit with ulimit -l)", "reason", err)
	}
	// Programs that start an sllm-store wait for this line.
	if _, err := fmt.Fprintf(env.stdout, "Starting gRPC server on %s\n", l.Addr()); err != nil {
		return err
	}
	return s.Serve(ctx, l, o.patience)
}

// serveMetrics serves metrics until stop is called.
func (o *storeOptions) serveMetrics(log *slog.Logger) (stop func(), err error) {
	if o.metrics == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", o.metrics)
	if err != nil {
		return nil, fmt.Errorf("listen for --metrics-address: %w", err)
	}
	o.server.Metrics = server.NewMetrics()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", o.server.Metrics)
	h := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving metrics", "error", err)
		}
	}()
	log.Info("serving metrics", "address", "http://"+l.Addr().String()+"/metrics")
	return func() { _ = h.Close() }, nil
}
