package machine_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/machine"
)

// Reading a file from the storage and keeping a CPU busy must both be counted.
func TestReadSystemCountsReadsAndCPUTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	const size = 8 << 20
	if err := os.WriteFile(path, bytes.Repeat([]byte{1}, size), 0o644); err != nil {
		t.Fatal(err)
	}
	dev := machine.BlockDevice(path)
	if err := machine.Drop([]string{path}); err != nil {
		t.Fatal(err)
	}
	f, err := directio.Open(path, size, true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := hostmem.Map(size)
	if err != nil {
		t.Fatal(err)
	}
	defer hostmem.Unmap(b)
	before := machine.ReadSystem(dev)
	if _, err := f.ReadAt(b[:size], 0); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; {
	}
	did := machine.ReadSystem(dev).Sub(before)
	if dev != "" && f.Direct && (did.DeviceReadBytes == nil || *did.DeviceReadBytes < size || *did.DeviceReads < 1) {
		t.Errorf("device %s: %+v", dev, did)
	}
	if did.Busy == nil || *did.Busy < 50*time.Millisecond || did.Steal == nil || *did.Steal < 0 {
		t.Errorf("CPU: %v busy, %v stolen", did.Busy, did.Steal)
	}
	if _, err := os.ReadFile("/proc/pressure/io"); err == nil && (did.CPUPressure == nil || did.IOPressure == nil || did.MemoryPressure == nil) {
		t.Errorf("no pressure: %+v", did)
	}
	if kernelThreadsAreVisible(t) != (before.KernelThreads != nil) {
		t.Errorf("CPU time of the kernel's threads: %v", before.KernelThreads)
	}
	if before.KernelThreads != nil && *before.KernelThreads <= 0 || did.KernelThreads != nil && *did.KernelThreads > time.Minute {
		t.Errorf("the kernel's threads have used %v, and %v of it meanwhile", before.KernelThreads, did.KernelThreads)
	}
	for _, pressure := range []*time.Duration{did.CPUPressure, did.IOPressure, did.MemoryPressure} {
		if pressure != nil && *pressure < 0 {
			t.Errorf("pressure decreased: %+v", did)
		}
	}
}

// kernelThreadsAreVisible looks for kthreadd, the parent of all others.
func kernelThreadsAreVisible(t *testing.T) bool {
	t.Helper()
	name, err := os.ReadFile("/proc/2/comm")
	return err == nil && string(name) == "kthreadd\n"
}

func TestNoBlockDevice(t *testing.T) {
	for _, path := range []string{"/proc/self/stat", filepath.Join(t.TempDir(), "none")} {
		if dev := machine.BlockDevice(path); dev != "" {
			t.Errorf("%s lies on %s", path, dev)
		}
	}
	if s := machine.ReadSystem(""); s.DeviceReadBytes != nil || s.DeviceBusy != nil {
		t.Errorf("%+v", s)
	}
}

func TestReadSample(t *testing.T) {
	s := machine.ReadSample("", os.Getpid())
	if s.AvailableBytes == nil || *s.AvailableBytes <= 0 || s.ResidentBytes == nil || *s.ResidentBytes < 1<<20 || s.System.Busy == nil {
		t.Errorf("%+v", s)
	}
	if s := machine.ReadSample("", 1<<30); s.ResidentBytes != nil {
		t.Errorf("a process that does not exist has %d bytes", *s.ResidentBytes)
	}
}

// BenchmarkSystem is the cost of the readings before and after each load, outside
// of its time.
func BenchmarkSystem(b *testing.B) {
	dev := machine.BlockDevice(b.TempDir())
	for b.Loop() {
		machine.ReadSystem(dev)
	}
}

// BenchmarkSample is the cost of a sample: ten a second must stay below a hundredth
// of a core.
func BenchmarkSample(b *testing.B) {
	dev := machine.BlockDevice(b.TempDir())
	for b.Loop() {
		machine.ReadSample(dev, os.Getpid())
	}
}
