package collector

import (
	"cmp"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/nvidia/nvml"
	"github.com/sllmq/sllmq/warehouse/record"
)

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
