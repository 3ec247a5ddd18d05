package nvml_test

import (
	"errors"
	"os"
	"testing"

	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/collector/nvidia/nvml"
)

func open(t *testing.T, settings string) *nvml.Library {
	t.Helper()
	t.Setenv("FAKE_NVML", settings)
	l, err := nvml.Open(cudatest.BuildNVML(t, t.TempDir()))
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

func TestAGPUSaysHowItIs(t *testing.T) {
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
	if _, err := l.Find("00000000-0000-0000-0000-000000000000"); err == nil {
		t.Error("a GPU that is not there was found")
	}
}

func TestProcessesOfAGPU(t *testing.T) {
	for _, n := range []string{"0", "1", "64", "65", "300"} {
		l := open(t, "pids="+n)
		all, err := l.GPUs()
		if err != nil {
			t.Fatal(err)
		}
		list, err := all[0].Processes()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case n == "0" && len(list) == 0:
		case list[0].PID != os.Getpid() || *list[0].UsedBytes != 1<<20:
			t.Errorf("%s: first is %+v", n, list[0])
		case len(list) > 1 && list[1].UsedBytes != nil:
			t.Errorf("%s: second is %+v", n, list[1])
		}
	}
	l := open(t, "pids=5000")
	all, err := l.GPUs()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all[0].Processes(); err == nil {
		t.Error("5000 processes were listed")
	}
}

func TestWhatAGPUDoesNotTellIsLeftOut(t *testing.T) {
	l := open(t, "lacks=nvmlDeviceGetPowerUsage lacks=nvmlDeviceGetCurrentClocksThrottleReasons")
	all, err := l.GPUs()
	if err != nil {
		t.Fatal(err)
	}
	if s := all[0].Status(); s.PowerW != nil || s.Reasons != nil || s.TemperatureC == nil {
		t.Errorf("status %+v", s)
	}
}

// A call before Init went well, or after Shutdown, would end the process.
func TestNoCallIsMadeWithoutInit(t *testing.T) {
	t.Setenv("FAKE_NVML", "init=9")
	path := cudatest.BuildNVML(t, t.TempDir())
	var failure *nvml.Error
	if _, err := nvml.Open(path); !errors.As(err, &failure) || err.Error() != "nvmlInit: Driver Not Loaded" {
		t.Errorf("error %v", err)
	}
	if _, err := nvml.Open("/not/there/libnvidia-ml.so.1"); err == nil {
		t.Error("a library that is not there was opened")
	}
	l := open(t, "")
	all, err := l.GPUs()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if s := all[0].Status(); s.UsedBytes != nil {
		t.Errorf("status after Close: %+v", s)
	}
	if _, err := l.Driver(); err == nil {
		t.Error("a closed library answered")
	}
}
