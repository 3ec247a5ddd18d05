package collector_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/warehouse/record"
)

// departure is a way to lose storage during a load.
type departure struct {
	prepare func(t *testing.T, l loop) // what leaving needs and takes time; may be nil
	leave   func(t *testing.T, l loop)
	back    func(t *testing.T, l loop)
	// open says that what is open stays readable: the load under way goes well,
	// and the next fails.
	open bool
	says []string // one of them is in the error
}

func departures() map[string]departure {
	return map[string]departure{
		// What lies below the device is gone: every read gives an error, as that of
		// a disk that was pulled does.
		"its device fails": {
			prepare: func(t *testing.T, l loop) { command(t, "cp", "--sparse=always", l.image, l.image+".kept") },
			leave:   func(t *testing.T, l loop) { command(t, "truncate", "--size=0", l.image) },
			back:    func(t *testing.T, l loop) { command(t, "cp", "--sparse=always", l.image+".kept", l.image) },
			says:    []string{"input/output error", "the page at byte"},
		},
		// Nobody finds it any more, and who has its files open keeps them.
		"it is unmounted": {
			leave: func(t *testing.T, l loop) { command(t, "umount", "--lazy", l.dir) },
			back:  func(t *testing.T, l loop) { command(t, "mount", l.device, l.dir) },
			open:  true,
			says:  []string{"no such file"},
		},
	}
}

func command(t *testing.T, name string, arguments ...string) {
	t.Helper()
	if out, err := exec.Command(name, arguments...).CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v: %s", name, arguments, err, out)
	}
}

// TestStorageLostDuringALoadIsARow takes the storage away in the middle of the second
// load of four, which is slowed down to have a middle, and brings it back when a load
// has failed. That load is one row with the reason, and the others succeed. It needs
// root and the block device controller.
func TestStorageLostDuringALoadIsARow(t *testing.T) {
	for name, d := range departures() {
		for _, loader := range []string{"mmap-parallel", "pinned", "direct", "pool"} {
			t.Run(name+" "+loader, func(t *testing.T) { departed(t, d, loader) })
		}
	}
}

func departed(t *testing.T, d departure, loader string) {
	const fast, some, all = 2 << 30, 2 << 20, 16 << 20 // bytes a second; bytes that are read before it goes, and of the model
	storage := mountLoop(t, 256<<20)
	slow := slowDown(t, storage.dir, fast)
	c := config(t, larger(t))
	c.StoragePath, c.Replicas = storage.dir, 4
	c.BenchmarkTypes, c.DType, c.Inference = []string{collector.Random}, "auto", collector.InferenceNone
	c.Loaders, c.Formats, c.Verify = []string{loader}, []string{"safetensors"}, "all"
	if d.open {
		c.Verify = "none" // the checksums lie where nobody finds them any more
	}
	if loader == "pool" {
		c.Formats = []string{"sllm"}
	}
	device := machine.BlockDevice(storage.dir)
	var readBefore int64
	left := make(chan struct{})
	backAgain := false
	var sink memory
	sink.then = func(b record.Batch) {
		switch {
		case len(b.Loads) == 0:
		case b.Loads[0].Seq == 0:
			if d.prepare != nil {
				d.prepare(t, storage)
			}
			// Four seconds, of which it takes half of one to come to the middle.
			slow.limit(t, 4<<20)
			before := readSoFar(device)
			go func() {
				defer close(left)
				for begun := time.Now(); readSoFar(device) < before+some && time.Since(begun) < time.Minute; {
					time.Sleep(time.Millisecond)
				}
				d.leave(t, storage)
				readBefore = readSoFar(device) - before
				slow.limit(t, fast)
			}()
		case !backAgain && b.Loads[0].Error != nil:
			backAgain = true
			<-left
			d.back(t, storage)
		}
	}
	plan, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	h, progress := host(t), &silent{}
	h.WorkerCommand = slow.command(h.WorkerCommand)
	result, err := collector.Run(t.Context(), plan, &sink, progress, h)
	if err != nil {
		t.Fatal(err)
	}
	<-left
	if result.Loads != 4 || result.Failed != 1 || len(sink.Loads) != 4 {
		t.Fatalf("%+v with %d rows: %v", result, len(sink.Loads), failures(&sink))
	}
	broken := 1
	if d.open {
		broken = 2
	}
	for i, l := range sink.Loads {
		switch {
		case i != broken && l.Error != nil:
			t.Errorf("load %d: %s", i, *l.Error)
		case i == broken && l.Error == nil:
			t.Errorf("load %d has no error", i)
		}
	}
	text := failures(&sink)[0]
	t.Logf("the error: %s", text)
	said := false
	for _, says := range d.says {
		said = said || strings.Contains(text, says)
	}
	if !said || strings.Contains(text, "\n") || !strings.Contains(text, filepath.Join("float16", c.Formats[0])) {
		t.Errorf("%q, want one line with the reason and the path", text)
	}
	if readBefore < some || readBefore > all*3/4 {
		t.Errorf("%d bytes of %d were read when the storage was lost: that is not the middle", readBefore, all)
	}
}

// readSoFar returns how many bytes were read from a block device.
func readSoFar(device string) int64 {
	if n := machine.ReadSystem(device).DeviceReadBytes; n != nil {
		return *n
	}
	return 0
}
