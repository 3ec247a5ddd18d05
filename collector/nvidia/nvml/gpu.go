package nvml

import (
	"fmt"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// GPU is one GPU, observed from outside.
type GPU struct {
	library *Library
	device  nvml.Device
}

// Name returns the product's name.
func (g *GPU) Name() (string, error) { return call(g.library, "nvmlDeviceGetName", g.device.GetName) }

// UUID returns the GPU's UUID as NVML writes it, with the prefix GPU-.
func (g *GPU) UUID() (string, error) { return call(g.library, "nvmlDeviceGetUUID", g.device.GetUUID) }

// Memory returns how many bytes of the GPU's memory are in use, by everybody and
// the driver, and how many there are.
func (g *GPU) Memory() (used, total int64, err error) {
	m, err := call(g.library, "nvmlDeviceGetMemoryInfo", g.device.GetMemoryInfo)
	return int64(m.Used), int64(m.Total), err
}

// Status is the state of a GPU at one moment. What the GPU does not report is nil.
type Status struct {
	UsedBytes      *int64
	PCIeGeneration *int64 // of the link now: it slows down when idle
	PCIeWidth      *int64 // lanes
	SMClockHz      *int64
	MemoryClockHz  *int64
	TemperatureC   *float64
	PowerW         *float64
	BusyShare      *float64 // of the last moments, with a kernel running
	MemoryBusy     *float64 // of the last moments, with memory being read or written
	Reasons        *Reasons
}

// Status reads the GPU's state; it is empty after the library was closed.
func (g *GPU) Status() Status {
	var s Status
	if used, _, err := g.Memory(); err == nil {
		s.UsedBytes = &used
	}
	d := g.device
	s.PCIeGeneration = read(g, d.GetCurrPcieLinkGeneration, toInt64)
	s.PCIeWidth = read(g, d.GetCurrPcieLinkWidth, toInt64)
	s.SMClockHz = read(g, clock(d, nvml.CLOCK_SM), megahertz)
	s.MemoryClockHz = read(g, clock(d, nvml.CLOCK_MEM), megahertz)
	s.TemperatureC = read(g, func() (uint32, nvml.Return) { return d.GetTemperature(nvml.TEMPERATURE_GPU) }, toFloat64)
	s.PowerW = read(g, d.GetPowerUsage, milliwatts)
	s.BusyShare = read(g, d.GetUtilizationRates, func(u nvml.Utilization) float64 { return float64(u.Gpu) / 100 })
	s.MemoryBusy = read(g, d.GetUtilizationRates, func(u nvml.Utilization) float64 { return float64(u.Memory) / 100 })
	s.Reasons = read(g, d.GetCurrentClocksEventReasons, toReasons)
	if s.Reasons == nil { // drivers before 535
		s.Reasons = read(g, d.GetCurrentClocksThrottleReasons, toReasons)
	}
	return s
}

// read makes a call of NVML and converts its result; nil if the call fails.
func read[T, U any](g *GPU, f func() (T, nvml.Return), convert func(T) U) *U {
	v, err := call(g.library, "", f)
	if err != nil {
		return nil
	}
	return new(convert(v))
}

func clock(d nvml.Device, kind nvml.ClockType) func() (uint32, nvml.Return) {
	return func() (uint32, nvml.Return) { return d.GetClockInfo(kind) }
}

func toInt64(n int) int64           { return int64(n) }
func toFloat64(n uint32) float64    { return float64(n) }
func megahertz(n uint32) int64      { return int64(n) * 1e6 }
func milliwatts(n uint32) float64   { return float64(n) / 1e3 }
func toReasons(bits uint64) Reasons { return Reasons(bits) }

// Process is a process that computes on a GPU.
type Process struct {
	PID       int
	UsedBytes *int64 // nil if the driver does not report it
}

// Processes returns the processes that have a context on the GPU. In a container
// their IDs may be those outside, and the list may be empty.
func (g *GPU) Processes() ([]Process, error) {
	infos, err := call(g.library, "nvmlDeviceGetComputeRunningProcesses", g.device.GetComputeRunningProcesses)
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, info := range infos {
		p := Process{PID: int(info.Pid)}
		const notAvailable = ^uint64(0) // NVML_VALUE_NOT_AVAILABLE
		if info.UsedGpuMemory != notAvailable {
			p.UsedBytes = new(int64(info.UsedGpuMemory))
		}
		all = append(all, p)
	}
	return all, nil
}

// Reasons are why clocks are lower than they could be: bits of nvml.h
// (nvmlClocksEventReasons).
type Reasons uint64

var reasonNames = []string{
	"gpu_idle", "applications_clocks", "sw_power_cap", "hw_slowdown", "sync_boost",
	"sw_thermal_slowdown", "hw_thermal_slowdown", "hw_power_brake", "display_clocks", "board_limit", "reliability",
}

// Throttling returns the reasons other than that the GPU is idle.
func (r Reasons) Throttling() Reasons { return r &^ nvml.ClocksEventReasonGpuIdle }

// String returns the reasons' names in the order of nvml.h, separated by commas.
func (r Reasons) String() string {
	var names []string
	for i := range 64 {
		switch {
		case r&(1<<i) == 0:
		case i < len(reasonNames):
			names = append(names, reasonNames[i])
		default:
			names = append(names, fmt.Sprintf("bit_%d", i))
		}
	}
	return strings.Join(names, ",")
}
