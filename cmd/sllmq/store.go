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
		Short: "Keep models in host memory for other processes, as sllm-store does",
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args:  noArguments,
	}
	c.AddCommand(newStoreServeCommand(env))
	return c
}

// storeOptions are the flags of store serve: sllm-store's own, and a few more.
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
		Long: `Serve ServerlessLLM's sllm-store contract: models in the SLLM format below the
storage path come into a pool of page-locked host memory, and from there to
memory of the clients, on GPUs or in the host. It takes sllm-store's flags.

Whoever reaches it may load, so it listens on this machine alone unless --host
says otherwise. It ends on SIGTERM, after the requests that are under way.`,
		Example: `  sllmq store serve --storage-path ./models --mem-pool-size 32GB
  sllmq collect --loader store --store-address 127.0.0.1:8073 --storage-path ./models`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	f := c.Flags()
	f.StringVar(&o.server.StoragePath, "storage-path", "./models", "folder that models lie below")
	f.Var(&o.pool, "mem-pool-size", "host memory for the pool")
	f.Var(&o.size, "chunk-size", "chunk of the pool")
	f.IntVar(&o.server.Threads, "num-thread", 4, "reads under way, at least")
	f.StringVar(&o.host, "host", "127.0.0.1", "address to listen on")
	f.IntVar(&o.port, "port", 8073, "port to listen on; 0 takes a free one")
	f.BoolVar(&o.server.RegistrationRequired, "registration-required", false, "refuse to load what was not registered")
	f.StringVar(&o.metrics, "metrics-address", "", "serve Prometheus metrics under /metrics there (127.0.0.1:9073); empty: nowhere")
	f.DurationVar(&o.patience, "grace", 10*time.Second, "how long requests under way may take when it is told to end")
	return c
}

// validate checks what can be checked before memory is taken.
func (o *storeOptions) validate() error {
	s := &o.server
	switch {
	case s.ChunkBytes%directio.Align != 0 || s.ChunkBytes > 1<<30:
		return &usageError{fmt.Errorf("--chunk-size %s is not a multiple of 4KB of at most 1GB", size.Exact(s.ChunkBytes))}
	case s.PoolBytes < s.ChunkBytes:
		return &usageError{fmt.Errorf("--mem-pool-size %s has no room for a chunk of %s", size.Exact(s.PoolBytes), size.Exact(s.ChunkBytes))}
	case s.Threads < 1 || s.Threads > 1024:
		return &usageError{fmt.Errorf("--num-thread %d is not between 1 and 1024", s.Threads)}
	case o.port < 0 || o.port > 65535:
		return &usageError{fmt.Errorf("--port %d is not between 0 and 65535", o.port)}
	case o.patience < 0:
		return &usageError{fmt.Errorf("--grace %v is negative", o.patience)}
	}
	available, err := machine.AvailableMemory()
	if err == nil && s.PoolBytes > available {
		return fmt.Errorf("--mem-pool-size %s is more than the %s that this machine has to give: lower it",
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
		log.Info("no GPUs are served", "reason", err)
	} else {
		defer func() { err = errors.Join(err, gpus.Close()) }()
		o.server.Locker = device.LockerOf(gpus)
		o.server.Devices = append(o.server.Devices, device.Importers(gpus)...)
		log.Info("GPUs are served", "devices", gpus.Name())
	}
	// The ports are taken first: if they can't be, no memory is filled for nothing.
	l, err := net.Listen("tcp", net.JoinHostPort(o.host, strconv.Itoa(o.port)))
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	defer l.Close()
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		log.Warn("whoever reaches this address may load models: there is no password", "address", l.Addr().String())
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
	log.Info("the pool is there", "bytes", o.server.PoolBytes, "seconds", time.Since(begun).Seconds())
	if err := s.LockError(); err != nil {
		log.Warn("the pool is not page-locked (raise the limit with ulimit -l)", "reason", err)
	}
	// The words that whoever starts an sllm-store waits for.
	if _, err := fmt.Fprintf(env.stdout, "Starting gRPC server on %s\n", l.Addr()); err != nil {
		return err
	}
	return s.Serve(ctx, l, o.patience)
}

// serveMetrics serves them until what it returns is called.
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
