package collector

import (
	"cmp"
	"path/filepath"
	"sync"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/nvidia/nvml"
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

// gpuPeak is the highest status of a GPU over several samples.
type gpuPeak struct{ status nvml.Status }

// join adds a sample.
func (p *gpuPeak) join(s nvml.Status) {
	most(&p.status.PCIeGeneration, s.PCIeGeneration)
	most(&p.status.PCIeWidth, s.PCIeWidth)
	most(&p.status.SMClockHz, s.SMClockHz)
	most(&p.status.MemoryClockHz, s.MemoryClockHz)
	most(&p.status.TemperatureC, s.TemperatureC)
	most(&p.status.PowerW, s.PowerW)
	if s.Reasons != nil {
		if p.status.Reasons == nil {
			p.status.Reasons = new(nvml.Reasons)
		}
		*p.status.Reasons |= s.Reasons.Throttling()
	}
}

func most[T cmp.Ordered](into **T, v *T) {
	if v != nil && (*into == nil || **into < *v) {
		*into = new(*v)
	}
}

// describeGPUs fills in the GPU columns of a load.
func describeGPUs(l *record.Load, peaks []gpuPeak, processes *int64) {
	var all gpuPeak
	var slowest nvml.Status // the link of the GPU that has the worst one
	for _, p := range peaks {
		all.join(p.status)
		least(&slowest.PCIeGeneration, p.status.PCIeGeneration)
		least(&slowest.PCIeWidth, p.status.PCIeWidth)
	}
	s := all.status
	l.PCIeGeneration, l.PCIeWidth = slowest.PCIeGeneration, slowest.PCIeWidth
	l.GPUTemperatureC, l.GPUPowerW = s.TemperatureC, s.PowerW
	l.GPUSMClockHz, l.GPUMemoryClockHz = s.SMClockHz, s.MemoryClockHz
	if s.Reasons != nil {
		l.GPUThrottleReasons = new(s.Reasons.String())
	}
	if processes != nil {
		l.GPUOtherProcesses = new(max(0, *processes-int64(len(peaks)))) // the worker is on each
	}
}

func least(into **int64, v *int64) {
	if v != nil && (*into == nil || **into > *v) {
		*into = new(*v)
	}
}

// gpuSamples makes rows of one sample of a GPU.
func gpuSamples(runID string, at time.Time, g machine.GPU, s nvml.Status) []record.Sample {
	var rows []record.Sample
	add := func(metric string, value *float64) {
		if value != nil {
			rows = append(rows, record.Sample{RunID: runID, SampledAt: at, Source: g.Device(), Metric: metric, Value: *value})
		}
	}
	add("memory_used_bytes", asFloat(s.UsedBytes))
	add("busy_share", s.BusyShare)
	add("memory_busy_share", s.MemoryBusy)
	add("power_w", s.PowerW)
	add("temperature_c", s.TemperatureC)
	add("sm_clock_hz", asFloat(s.SMClockHz))
	add("memory_clock_hz", asFloat(s.MemoryClockHz))
	add("pcie_generation", asFloat(s.PCIeGeneration))
	add("pcie_width", asFloat(s.PCIeWidth))
	if s.Reasons != nil {
		add("throttle_reasons", new(float64(s.Reasons.Throttling())))
	}
	return rows
}

// sum adds up a figure of GPUs; nil if it is known of none.
func sum(gpus []machine.GPU, of func(machine.GPU) *int64) *int64 {
	var all *int64
	for _, g := range gpus {
		if n := of(g); n != nil {
			if all == nil {
				all = new(int64)
			}
			*all += *n
		}
	}
	return all
}
