package collector_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/machine/grouptest"
)

// slow is a control group whose reads from a block device are limited to a rate.
type slow struct{ group, device string }

// The files that hold the limit, in both versions of control groups.
const (
	readLimitV1 = "blkio.throttle.read_bps_device"
	readLimitV2 = "io.max"
)

// slowDown makes a group for the device that holds a path. It needs root and the
// block device controller.
func slowDown(t *testing.T, path string, bytesPerS int64) slow {
	t.Helper()
	device := machine.BlockDevice(path)
	if _, err := os.Stat(filepath.Join(device, "partition")); err == nil {
		device = filepath.Dir(device) // limits are the whole device's
	}
	text, err := os.ReadFile(filepath.Join(device, "dev"))
	if err != nil {
		t.Skipf("%s is not on a block device: %v", path, err)
	}
	s := slow{device: strings.TrimSpace(string(text))}
	s.group = grouptest.Make(t,
		grouptest.Limit{Controller: "blkio", Settings: [][2]string{{readLimitV1, s.limitV1(bytesPerS)}}},
		grouptest.Limit{Controller: "io", Settings: [][2]string{{readLimitV2, s.limitV2(bytesPerS)}}})
	return s
}

func (s slow) limitV1(bytesPerS int64) string { return fmt.Sprintf("%s %d", s.device, bytesPerS) }
func (s slow) limitV2(bytesPerS int64) string { return fmt.Sprintf("%s rbps=%d", s.device, bytesPerS) }

// limit changes the limit.
func (s slow) limit(t *testing.T, bytesPerS int64) {
	t.Helper()
	err := os.WriteFile(filepath.Join(s.group, readLimitV1), []byte(s.limitV1(bytesPerS)), 0)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) { // no file can be made there
		err = os.WriteFile(filepath.Join(s.group, readLimitV2), []byte(s.limitV2(bytesPerS)), 0)
	}
	if err != nil {
		t.Error(err)
	}
}

// command returns a command line that runs a worker's in the group.
func (s slow) command(worker []string) []string {
	return append([]string{"sh", "-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, s.group}, worker...)
}

// TestSlowStorageIsTheBound limits the workers' reads to 200 MB/s and expects loads
// to be bound by storage with an efficiency near 1. It needs root and the block
// device controller, in either version of control groups.
func TestSlowStorageIsTheBound(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for seconds")
	}
	storage := t.TempDir()
	const limit = 200_000_000
	slow := slowDown(t, storage, limit)
	// Large enough that what may be read at once after a rest does not count.
	model := larger(t)
	writeSafeTensors(t, filepath.Join(model, "b.safetensors"), "b", 32<<20)
	c := config(t, model)
	c.StoragePath, c.Replicas, c.PoolBytes = storage, 2, 256<<20
	c.BenchmarkTypes, c.DType, c.Inference, c.Roofline = []string{collector.Random}, "auto", collector.InferenceNone, true
	c.Loaders = []string{"direct", "pool"}
	plan, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	var sink memory
	h := host(t)
	h.WorkerCommand = slow.command(h.WorkerCommand)
	progress := &silent{}
	if result, err := collector.Run(t.Context(), plan, &sink, progress, h); err != nil || result.Failed > 0 {
		t.Fatalf("%+v, %v: %v", result, err, progress.notes)
	}
	near := 0
	for _, l := range sink.Loads {
		t.Logf("load %d took %.3f s: bound by %s at %.2f (storage %.3f s)", l.Seq, *l.LoadingTimeS, *l.Bound, *l.Efficiency, *l.StorageBoundS)
		if *l.Bound != "storage" {
			t.Errorf("load %d is bound by %s", l.Seq, *l.Bound)
		}
		if *l.Efficiency > 0.7 && *l.Efficiency < 1.3 {
			near++
		}
	}
	// Others may be at work on the same storage while some are measured.
	if near == 0 {
		t.Errorf("none of %d loads is near the roofline", len(sink.Loads))
	}
	for _, r := range sink.Rooflines {
		if r.Kind == "storage_read" && r.BandwidthBytesPerS > 2*limit {
			t.Errorf("the storage delivered %.0f bytes/s despite its limit", r.BandwidthBytesPerS)
		}
	}
}
