package loader_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/sllmstore/storetest"
	"github.com/sllmq/sllmq/collector/stage"
)

func TestMain(m *testing.M) {
	storetest.Main()
	os.Exit(m.Run())
}

// serveBadly starts a store that fails in the given way, and opens a loader that is
// its client.
func serveBadly(t *testing.T, b storetest.Behaviour, d device.Device) (loader.Loader, error) {
	t.Helper()
	technique, err := loader.Find("store")
	if err != nil {
		t.Fatal(err)
	}
	store, err := client.Start(t.Context(), client.Command{
		Program: []string{storetest.Install(t, b), "start"}, StoragePath: "/", Log: filepath.Join(t.TempDir(), "sllm-store.log"),
		PoolBytes: 1 << 30, ChunkBytes: 16 << 20, Threads: 4,
	}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Kill)
	return technique.Open(t.Context(), loader.Options{
		Format: checkpoint.SLLM, Device: d,
		Store: loader.StoreOptions{Address: store.Address, StoragePath: "/", LoadTimeout: time.Second},
	})
}

func openFakeGPU(t *testing.T) device.Device {
	t.Helper()
	library := cudatest.Build(t, "")
	driver, err := cuda.Open(library.Path)
	if err != nil {
		t.Fatal(err)
	}
	return openGPU(t, library, driver, 16<<20, 0)
}

// Every failure of ServerlessLLM's store is an error that names the call. Memory
// that the store may still write to stays allocated until the loader, which can't
// load again, is closed.
func TestAStoreThatFailsIsAnError(t *testing.T) {
	for b, want := range map[storetest.Behaviour]struct {
		text string
		over bool // the loader cannot load again
	}{
		storetest.Refuses:  {"LoadModelAsync (CPU): Internal", false},
		storetest.Internal: {"ConfirmModel: Internal", true},
		storetest.Hangs:    {"ConfirmModel: no answer within", true},
		storetest.Crashes:  {"ConfirmModel: Unavailable", true},
	} {
		t.Run(string(b), func(t *testing.T) {
			d := openFakeGPU(t)
			l, err := serveBadly(t, b, d)
			if err != nil {
				t.Fatal(err)
			}
			dir := write(t, t.TempDir(), checkpoint.SLLM, checkpoints()["several files"])
			_, err = l.Load(t.Context(), dir, stage.Begin())
			if err == nil || errors.Is(err, loader.ErrOver) != want.over || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error %v", err)
			}
			for _, text := range []string{want.text, dir} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error %q has no %q", err, text)
				}
			}
			if kept := d.Used() != 0; kept != want.over {
				t.Errorf("%d bytes of the device are in use", d.Used())
			}
			if _, err := l.Load(t.Context(), dir, stage.Begin()); errors.Is(err, loader.ErrOver) != want.over {
				t.Errorf("the next load: %v", err)
			}
			if err := l.Close(); err != nil || d.Used() != 0 {
				t.Errorf("%d bytes of the device are in use: %v", d.Used(), err)
			}
		})
	}
}

// A load that a store confirms without having done it is found by comparing the
// tensors.
func TestAStoreThatLiesIsFoundOut(t *testing.T) {
	l, err := serveBadly(t, storetest.Lies, openFakeGPU(t))
	if err != nil {
		t.Fatal(err)
	}
	files := checkpoints()["several files"]
	loaded, err := l.Load(t.Context(), write(t, t.TempDir(), checkpoint.SLLM, files), stage.Begin())
	if err != nil {
		t.Fatal(err)
	}
	same := true
	for _, x := range loaded.Checkpoint.Tensors {
		b := make([]byte, x.Size)
		if err := loaded.Read(x, b); err != nil {
			t.Error(err)
		}
		for _, tensors := range files {
			for _, want := range tensors {
				same = same && (want.Name != x.Name || string(want.Data) == string(b))
			}
		}
	}
	if same {
		t.Error("the tensors have the checkpoint's bytes")
	}
	if loaded.PoolHit != nil || loaded.Direct != nil {
		t.Error("the load reports what the store does not tell")
	}
	if err := errors.Join(loaded.Free(), l.Close()); err != nil {
		t.Error(err)
	}
}

// The order is that of ServerlessLLM's client. Its store crashes if a load to a GPU
// overtakes its thread for the load to the host, so the loader waits, once per
// model.
func TestStagesOfALoadByAStore(t *testing.T) {
	l, err := serveBadly(t, storetest.Lies, openFakeGPU(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := write(t, t.TempDir(), checkpoint.SLLM, checkpoints()["several files"])
	for _, want := range []string{"request index allocate handle settle confirm", "request index allocate handle confirm"} {
		clock := stage.Begin()
		loaded, err := l.Load(t.Context(), dir, clock)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range clock.Stages() {
			names = append(names, s.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("stages %s, want %s", got, want)
		}
		if err := loaded.Free(); err != nil {
			t.Error(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// ServerlessLLM's store can't load to host memory.
func TestAStoreThatLoadsToGPUsOnlyIsRefusedForTheHost(t *testing.T) {
	_, err := serveBadly(t, storetest.Lies, openShared(t, 1<<20))
	if err == nil || !strings.Contains(err.Error(), "loads to GPUs only") {
		t.Errorf("error %v", err)
	}
}

func TestACheckpointOutsideTheStoragePathIsAnError(t *testing.T) {
	a := arm{format: checkpoint.SLLM}
	var err error
	if a.technique, err = loader.Find("store"); err != nil {
		t.Fatal(err)
	}
	l := open(t, a, openShared(t, 1<<20), func(o *loader.Options) { o.PoolBytes = 1 << 20 })
	dir := write(t, t.TempDir(), checkpoint.SLLM, checkpoints()["one byte"])
	here, err := filepath.Rel("/", dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Load(t.Context(), here, stage.Begin()); err == nil {
		t.Error("loaded")
	}
}
