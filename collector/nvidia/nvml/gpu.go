package nvml

import (
	"errors"
	"fmt"
	"strings"
)

// GPU is one GPU, seen from outside.
type GPU struct {
	library *Library
	handle  uintptr
}

// GPUs are those of this machine that this process may see, in the order of
// their places on the bus.
func (l *Library) GPUs() ([]*GPU, error) {
	var n uint32
	if err := l.call("nvmlDeviceGetCount", func(a *api) int32 { return a.Count(&n) }); err != nil {
		return nil, err
	}
	var all []*GPU
	for i := range n {
		g := &GPU{library: l}
		if err := l.call("nvmlDeviceGetHandleByIndex", func(a *api) int32 { return a.HandleByIndex(i, &g.handle) }); err != nil {
			return nil, fmt.Errorf("GPU %d: %w", i, err)
		}
		all = append(all, g)
	}
	return all, nil
}

// Find finds a GPU by its UUID, with or without the GPU- before it: CUDA and
// NVML may count in other orders.
func (l *Library) Find(uuid string) (*GPU, error) {
	names := []string{uuid}
	if !strings.Contains(uuid, "GPU-") && !strings.Contains(uuid, "MIG-") {
		names = []string{"GPU-" + uuid, "MIG-" + uuid}
	}
	var err error
	for _, name := range names {
		g := &GPU{library: l}
		c := append([]byte(name), 0)
		callErr := l.call("nvmlDeviceGetHandleByUUID", func(a *api) int32 { return a.HandleByUUID(&c[0], &g.handle) })
		if callErr == nil {
			return g, nil
		}
		err = errors.Join(err, callErr)
	}
	return nil, fmt.Errorf("find GPU %s: %w", uuid, err)
}

// Name is the product's name.
func (g *GPU) Name() (string, error) {
	return g.library.text("nvmlDeviceGetName", func(a *api, b *byte, n uint32) int32 { return a.Name(g.handle, b, n) })
}

// UUID is the GPU's, as NVML has it: with GPU- before it.
func (g *GPU) UUID() (string, error) {
	return g.library.text("nvmlDeviceGetUUID", func(a *api, b *byte, n uint32) int32 { return a.UUID(g.handle, b, n) })
}

// Memory is what the GPU has, and what is in use of it, by everybody and the
// driver, in bytes.
func (g *GPU) Memory() (used, total int64, err error) {
	var m memory
	err = g.library.call("nvmlDeviceGetMemoryInfo", func(a *api) int32 { return a.MemoryInfo(g.handle, &m) })
	return int64(m.used), int64(m.total), err
}

// Status is how a GPU is at a moment. What it does not tell is nil.
type Status struct {
	UsedBytes      *int64
	PCIeGeneration *int64 // of the link as it is now: an idle one falls back
	PCIeWidth      *int64 // lanes
	SMClockHz      *int64
	MemoryClockHz  *int64
	TemperatureC   *float64
	PowerW         *float64
	BusyShare      *float64 // of the last moments, in which a kernel ran
	MemoryBusy     *float64 // of the last moments, in which its memory was read or written
	Reasons        *Reasons
}

// Status looks at the GPU.
func (g *GPU) Status() Status {
	var s Status
	if used, _, err := g.Memory(); err == nil {
		s.UsedBytes = &used
	}
	s.PCIeGeneration = g.number("nvmlDeviceGetCurrPcieLinkGeneration", 1, func(a *api, n *uint32) int32 { return a.PCIe(g.handle, n) })
	s.PCIeWidth = g.number("nvmlDeviceGetCurrPcieLinkWidth", 1, func(a *api, n *uint32) int32 { return a.PCIeWidth(g.handle, n) })
	s.SMClockHz = g.number("nvmlDeviceGetClockInfo", 1e6, func(a *api, n *uint32) int32 { return a.Clock(g.handle, clockSM, n) })
	s.MemoryClockHz = g.number("nvmlDeviceGetClockInfo", 1e6, func(a *api, n *uint32) int32 { return a.Clock(g.handle, clockMemory, n) })
	if n := g.number("nvmlDeviceGetTemperature", 1, func(a *api, n *uint32) int32 { return a.Temperature(g.handle, 0, n) }); n != nil {
		s.TemperatureC = new(float64(*n))
	}
	if n := g.number("nvmlDeviceGetPowerUsage", 1, func(a *api, n *uint32) int32 { return a.Power(g.handle, n) }); n != nil {
		s.PowerW = new(float64(*n) / 1e3)
	}
	var u utilization
	if g.library.call("nvmlDeviceGetUtilizationRates", func(a *api) int32 { return a.Utilization(g.handle, &u) }) == nil {
		s.BusyShare, s.MemoryBusy = new(float64(u.gpu)/100), new(float64(u.memory)/100)
	}
	s.Reasons = g.reasons()
	return s
}

// number makes a call that gives a number, in units of so much.
func (g *GPU) number(name string, unit int64, f func(a *api, n *uint32) int32) *int64 {
	var n uint32
	if g.library.call(name, func(a *api) int32 { return f(a, &n) }) != nil {
		return nil
	}
	return new(int64(n) * unit)
}

func (g *GPU) reasons() *Reasons {
	var bits uint64
	if g.library.call("nvmlDeviceGetCurrentClocksEventReasons", func(a *api) int32 { return a.Reasons(g.handle, &bits) }) != nil &&
		g.library.call("nvmlDeviceGetCurrentClocksThrottleReasons", func(a *api) int32 { return a.OldReasons(g.handle, &bits) }) != nil {
		return nil
	}
	return new(Reasons(bits))
}

// Reasons are why clocks are not as high as they could be, as bits.
type Reasons uint64

// idle is the one reason that slows nobody down.
const idle Reasons = 1

var reasonNames = []string{
	"gpu_idle", "applications_clocks", "sw_power_cap", "hw_slowdown", "sync_boost",
	"sw_thermal_slowdown", "hw_thermal_slowdown", "hw_power_brake", "display_clocks", "board_limit", "reliability",
}

// Throttling leaves out that there is nothing to do.
func (r Reasons) Throttling() Reasons { return r &^ idle }

// String names them with commas between, in the order of nvml.h.
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

// Process is one that computes on the GPU.
type Process struct {
	PID       int
	UsedBytes *int64 // nil where the driver can't tell
}

// mostProcesses bounds what is asked for.
const mostProcesses = 4096

// Processes are those that have a context on the GPU. In a container the
// library may give the ids that they have outside, or none at all.
func (g *GPU) Processes() ([]Process, error) {
	for n := uint32(64); n <= mostProcesses; n *= 4 {
		infos := make([]processInfo, n)
		count := n
		err := g.library.call("nvmlDeviceGetComputeRunningProcesses", func(a *api) int32 { return a.Processes(g.handle, &count, &infos[0]) })
		var failure *Error
		if errors.As(err, &failure) && failure.Code == insufficientSize {
			continue
		}
		if err != nil {
			return nil, err
		}
		var all []Process
		for _, info := range infos[:min(count, n)] {
			p := Process{PID: int(info.pid)}
			if info.usedBytes != ^uint64(0) {
				p.UsedBytes = new(int64(info.usedBytes))
			}
			all = append(all, p)
		}
		return all, nil
	}
	return nil, fmt.Errorf("list a GPU's processes: there are over %d", mostProcesses)
}
