package server

import (
	"context"
	"net/http"
	"path"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/pool"
)

// Metrics are a server's metrics for Prometheus. A nil Metrics counts nothing.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec // seconds, by method and code
	loads    *prometheus.HistogramVec // seconds, by target
	failed   *prometheus.CounterVec
	bytes    *prometheus.CounterVec
}

// NewMetrics returns metrics for one server.
func NewMetrics() *Metrics {
	buckets := prometheus.ExponentialBuckets(0.001, 4, 10) // to 262 s
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sllmq_store_request_seconds", Help: "Time to answer a request.", Buckets: buckets}, []string{"method", "code"}),
		loads:    prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sllmq_store_load_seconds", Help: "Time of successful loads, to the pool from storage or to a client.", Buckets: buckets}, []string{"to"}),
		failed:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sllmq_store_loads_failed_total", Help: "Loads that failed after they had begun."}, []string{"to"}),
		bytes:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sllmq_store_loaded_bytes_total", Help: "Bytes of successful loads."}, []string{"to"}),
	}
	m.registry.MustRegister(m.requests, m.loads, m.failed, m.bytes,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// ServeHTTP answers a scrape.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// watch adds a pool's metrics.
func (m *Metrics) watch(p *pool.Pool) {
	if m == nil {
		return
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.registry.MustRegister(
		gauge("sllmq_store_pool_bytes", "Capacity of the pool.", func() float64 { return float64(p.Bytes()) }),
		gauge("sllmq_store_pool_free_bytes", "Bytes of free chunks in the pool.", func() float64 {
			_, free := p.Usage()
			return float64(free)
		}),
		gauge("sllmq_store_pool_models", "Models in the pool or being read into it.", func() float64 {
			models, _ := p.Usage()
			return float64(models)
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "sllmq_store_pool_evictions_total", Help: "Models evicted to make room for others."},
			func() float64 { return float64(p.Evictions()) }),
	)
}

// loaded counts a load to the given target.
func (m *Metrics) loaded(to string, succeeded bool, bytes int64, took time.Duration) {
	switch {
	case m == nil:
	case succeeded:
		m.loads.WithLabelValues(to).Observe(took.Seconds())
		m.bytes.WithLabelValues(to).Add(float64(bytes))
	default:
		m.failed.WithLabelValues(to).Inc()
	}
}

// observe counts a request.
func (m *Metrics) observe(ctx context.Context, r any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if m == nil {
		return handler(ctx, r)
	}
	begun := time.Now()
	response, err := handler(ctx, r)
	m.requests.WithLabelValues(path.Base(info.FullMethod), status.Code(err).String()).Observe(time.Since(begun).Seconds())
	return response, err
}
