package nvml

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh200"

	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
)

// open opens a fake library: see cudatest/lib/nvml.c.
func open(t *testing.T, settings string, without ...string) *Library {
	t.Helper()
	t.Setenv("FAKE_NVML", settings)
	l, err := Open(cudatest.BuildNVML(t, t.TempDir(), without...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func first(t *testing.T, l *Library) *GPU {
	t.Helper()
	all, err := l.GPUs()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d GPUs, %v", len(all), err)
	}
	return all[0]
}

func TestAGPUReportsItsStatus(t *testing.T) {
	l := open(t, "gpus=2 used=123456789")
	if v, err := l.Driver(); err != nil || v != "580.00.fake" {
		t.Errorf("driver %q, %v", v, err)
	}
	all, err := l.GPUs()
	if err != nil || len(all) != 2 {
		t.Fatalf("%d GPUs, %v", len(all), err)
	}
	const uuid = "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadae01"
	g, err := l.Find(uuid)
	if err != nil {
		t.Fatal(err)
	}
	if name, err := g.Name(); err != nil || name != "Fake GPU 1" {
		t.Errorf("name %q, %v", name, err)
	}
	if u, err := all[1].UUID(); err != nil || u != "GPU-"+uuid {
		t.Errorf("UUID %q, %v", u, err)
	}
	s := g.Status()
	if *s.UsedBytes != 123456789 || *s.PCIeGeneration != 5 || *s.PCIeWidth != 16 || *s.SMClockHz != 1_980_000_000 || *s.MemoryClockHz != 2_619_000_000 ||
		*s.TemperatureC != 41 || *s.PowerW != 123.456 || *s.BusyShare != 0.07 || *s.MemoryBusy != 0.03 {
		t.Errorf("status %+v", s)
	}
	if s.Reasons.String() != "gpu_idle,sw_power_cap" || s.Reasons.Throttling().String() != "sw_power_cap" {
		t.Errorf("reasons %s", s.Reasons)
	}
	if _, err := l.Find("00000000-0000-0000-0000-000000000000"); err == nil || strings.Contains(err.Error(), "\n\n") {
		t.Errorf("find a GPU that does not exist: %v", err)
	}
}

func TestProcesses(t *testing.T) {
	for n, want := range map[string]int{"0": 0, "1": 1, "64": 64, "65": 65, "300": 300} {
		l := open(t, "pids="+n)
		list, err := first(t, l).Processes()
		if err != nil || len(list) != want {
			t.Fatalf("%s: %d processes, %v", n, len(list), err)
		}
		if want > 0 && (list[0].PID != os.Getpid() || *list[0].UsedBytes != 1<<20) {
			t.Errorf("%s: the first is %+v", n, list[0])
		}
		if want > 1 && list[1].UsedBytes != nil {
			t.Errorf("%s: the second is %+v", n, list[1])
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatAGPUDoesNotSupportIsNil(t *testing.T) {
	l := open(t, "lacks=nvmlDeviceGetPowerUsage lacks=nvmlDeviceGetCurrentClocksEventReasons lacks=nvmlDeviceGetCurrentClocksThrottleReasons")
	if s := first(t, l).Status(); s.PowerW != nil || s.Reasons != nil || s.TemperatureC == nil {
		t.Errorf("status %+v", s)
	}
}

// A driver that lacks a function must not end the process.
func TestAnOlderDriverLacksFunctions(t *testing.T) {
	l := open(t, "", "nvmlDeviceGetPowerUsage", "nvmlDeviceGetUtilizationRates", "nvmlDeviceGetCurrentClocksEventReasons",
		"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlSystemGetDriverVersion")
	g := first(t, l)
	s := g.Status()
	if s.PowerW != nil || s.BusyShare != nil || s.MemoryBusy != nil || s.TemperatureC == nil || s.UsedBytes == nil {
		t.Errorf("status %+v", s)
	}
	if s.Reasons == nil || s.Reasons.String() != "gpu_idle,hw_slowdown" {
		t.Errorf("reasons %v, want those of the function's older name", s.Reasons)
	}
	if list, err := g.Processes(); err == nil {
		t.Errorf("processes %v of a driver that cannot list them", list)
	}
	var failure *Error
	if _, err := l.Driver(); !errors.As(err, &failure) || failure.Code != nvml.ERROR_FUNCTION_NOT_FOUND || !strings.Contains(err.Error(), "update NVIDIA's driver") {
		t.Errorf("driver version: %v", err)
	}
}

func TestADriverThatLacksEverything(t *testing.T) {
	for _, without := range [][]string{{"nvmlInit_v2"}, {"nvmlInit_v2", "nvmlErrorString"}} {
		var failure *Error
		if l, err := Open(cudatest.BuildNVML(t, t.TempDir(), without...)); !errors.As(err, &failure) || failure.Call != "nvmlInit" {
			t.Errorf("without %v: %v, %v", without, l, err)
		}
	}
	l := open(t, "lacks=nvmlDeviceGetName", "nvmlErrorString")
	if _, err := first(t, l).Name(); err == nil || err.Error() != "nvmlDeviceGetName: unknown error" {
		t.Errorf("without nvmlErrorString: %v", err)
	}
}

// A call before nvmlInit succeeded, or after nvmlShutdown, would end the process.
func TestNoCallIsMadeWithoutInit(t *testing.T) {
	t.Setenv("FAKE_NVML", "init=9")
	path := cudatest.BuildNVML(t, t.TempDir())
	var failure *Error
	if _, err := Open(path); !errors.As(err, &failure) || err.Error() != "nvmlInit: Driver Not Loaded" {
		t.Errorf("error %v", err)
	}
	if _, err := Open("/not/there/libnvidia-ml.so.1"); err == nil {
		t.Error("a library that does not exist was opened")
	}
	l := open(t, "")
	g := first(t, l)
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if s := g.Status(); s != (Status{}) {
		t.Errorf("status after Close: %+v", s)
	}
	if _, err := l.Driver(); err == nil {
		t.Error("a closed library answered")
	}
}

// Several parts of the program open the library at once: it is shut down with the
// last of them.
func TestTheLibraryIsShared(t *testing.T) {
	t.Setenv("FAKE_NVML", "gpus=2")
	path := cudatest.BuildNVML(t, t.TempDir())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				l, err := Open(path)
				if err != nil {
					t.Error(err)
					return
				}
				all, err := l.GPUs()
				if err != nil {
					t.Error(err)
				}
				for _, g := range all {
					if s := g.Status(); s.PowerW == nil {
						t.Errorf("status %+v", s)
					}
				}
				if _, err := l.Find("no such GPU"); err == nil {
					t.Error("found a GPU that does not exist")
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cudatest.BuildNVML(t, t.TempDir())); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("a second library: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	open(t, "") // once nobody uses the first
}

// go-nvml simulates a server of its own, which needs no C compiler.
func TestGPUsOfASimulatedServer(t *testing.T) {
	server := dgxh200.New()
	l := &Library{api: server}
	all, err := l.GPUs()
	if err != nil || len(all) != 8 {
		t.Fatalf("%d GPUs, %v", len(all), err)
	}
	uuid, err := all[5].UUID()
	if err != nil {
		t.Fatal(err)
	}
	g, err := l.Find(uuid)
	if err != nil {
		t.Fatal(err)
	}
	if name, err := g.Name(); err != nil || !strings.Contains(name, "H200") {
		t.Errorf("name %q, %v", name, err)
	}
	if used, total, err := g.Memory(); err != nil || used < 0 || total < 100<<30 {
		t.Errorf("%d of %d bytes in use, %v", used, total, err)
	}
}

func TestStatusConvertsUnits(t *testing.T) {
	lost := nvml.ERROR_GPU_IS_LOST
	device := &mock.Device{
		GetMemoryInfoFunc:             func() (nvml.Memory, nvml.Return) { return nvml.Memory{}, lost },
		GetCurrPcieLinkGenerationFunc: func() (int, nvml.Return) { return 4, nvml.SUCCESS },
		GetCurrPcieLinkWidthFunc:      func() (int, nvml.Return) { return 0, lost },
		GetClockInfoFunc: func(kind nvml.ClockType) (uint32, nvml.Return) {
			return map[nvml.ClockType]uint32{nvml.CLOCK_SM: 1500, nvml.CLOCK_MEM: 9501}[kind], nvml.SUCCESS
		},
		GetTemperatureFunc:                  func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 0, lost },
		GetPowerUsageFunc:                   func() (uint32, nvml.Return) { return 700_500, nvml.SUCCESS },
		GetUtilizationRatesFunc:             func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{Gpu: 100}, nvml.SUCCESS },
		GetCurrentClocksEventReasonsFunc:    func() (uint64, nvml.Return) { return 1 << 40, nvml.SUCCESS },
		GetCurrentClocksThrottleReasonsFunc: func() (uint64, nvml.Return) { return 0, lost },
	}
	s := (&GPU{&Library{}, device}).Status()
	if s.UsedBytes != nil || s.PCIeWidth != nil || s.TemperatureC != nil {
		t.Errorf("a GPU that is lost reported %+v", s)
	}
	if *s.PCIeGeneration != 4 || *s.SMClockHz != 1_500_000_000 || *s.MemoryClockHz != 9_501_000_000 || *s.PowerW != 700.5 || *s.BusyShare != 1 || *s.MemoryBusy != 0 || s.Reasons.String() != "bit_40" {
		t.Errorf("status %+v", s)
	}
}
