package collector

import (
	"path/filepath"
	"sync"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/warehouse/record"
)

// samplePeriod is the interval of samples while a worker runs.
const samplePeriod = 100 * time.Millisecond

// sampler samples the machine from the parent, so that the worker is not
// disturbed.
type sampler struct {
	runID  string
	pid    int
	device string // block device of the replicas; empty: none
	gpus   []machine.GPU

	mu    sync.Mutex
	rows  []record.Sample
	peaks []gpuPeak // of each GPU since the last load ended
	quit  chan struct{}
	done  chan struct{}
}

func startSampler(runID string, pid int, dir string, gpus []machine.GPU) *sampler {
	s := &sampler{runID: runID, pid: pid, device: machine.BlockDevice(dir), gpus: gpus, peaks: make([]gpuPeak, len(gpus)), quit: make(chan struct{}), done: make(chan struct{})}
	go s.loop()
	return s
}

func (s *sampler) loop() {
	defer close(s.done)
	tick := time.NewTicker(samplePeriod)
	defer tick.Stop()
	before, begun := machine.ReadSample(s.device, s.pid), time.Now()
	for {
		select {
		case <-s.quit:
			return
		case at := <-tick.C:
			now := machine.ReadSample(s.device, s.pid)
			s.add(at.UTC(), now, before, at.Sub(begun))
			s.lookAtGPUs(at.UTC())
			before, begun = now, at
		}
	}
}

// add makes rows of the changes in a period.
func (s *sampler) add(at time.Time, now, before machine.Sample, period time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := func(source, metric string, value *float64) {
		if value != nil {
			s.rows = append(s.rows, record.Sample{RunID: s.runID, SampledAt: at, Source: source, Metric: metric, Value: *value})
		}
	}
	system := now.System.Sub(before.System)
	row("cpu", "busy_cores", perSecond(system.Busy, period))
	row("cpu", "stolen_cores", perSecond(system.Steal, period))
	row("memory", "available_bytes", asFloat(now.AvailableBytes))
	row("worker", "resident_bytes", asFloat(now.ResidentBytes))
	if s.device != "" {
		row(filepath.Base(s.device), "read_bytes_per_s", rateOf(system.DeviceReadBytes, period))
		row(filepath.Base(s.device), "busy_share", perSecond(system.DeviceBusy, period))
	}
}

func perSecond(d *time.Duration, period time.Duration) *float64 {
	if d == nil || period <= 0 {
		return nil
	}
	return new(d.Seconds() / period.Seconds())
}

func rateOf(n *int64, period time.Duration) *float64 {
	if n == nil || period <= 0 {
		return nil
	}
	return new(float64(*n) / period.Seconds())
}

func asFloat(n *int64) *float64 {
	if n == nil {
		return nil
	}
	return new(float64(*n))
}

// lookAtGPUs samples each GPU.
func (s *sampler) lookAtGPUs(at time.Time) {
	for i, g := range s.gpus {
		status := g.Status()
		s.mu.Lock()
		s.rows = append(s.rows, gpuSamples(s.runID, at, g, status)...)
		s.peaks[i].join(status)
		s.mu.Unlock()
	}
}

// describe fills in the GPU columns of a load. It samples once more, because a
// short load may have fallen between two samples.
func (s *sampler) describe(l *record.Load) {
	if len(s.gpus) == 0 {
		return
	}
	s.lookAtGPUs(time.Now().UTC())
	processes := sum(s.gpus, machine.GPU.Processes)
	s.mu.Lock()
	defer s.mu.Unlock()
	describeGPUs(l, s.peaks, processes)
	s.peaks = make([]gpuPeak, len(s.gpus))
}

// take returns the samples since it was last called.
func (s *sampler) take() []record.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := s.rows
	s.rows = nil
	return rows
}

// stop ends the sampling.
func (s *sampler) stop() {
	close(s.quit)
	<-s.done
}
