package loader_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/collector/nvidia/cufile"
	"github.com/sllmq/sllmq/collector/stage"
)

// openDirectly opens direct with GPUDirect Storage in the given mode, on the fake
// library with settings as lib/cufile.c describes them.
func openDirectly(t *testing.T, f checkpoint.Format, mode, settings string) (loader.Loader, error) {
	t.Helper()
	t.Setenv("FAKE_CUFILE", settings)
	t.Setenv("CUFILE_LOGFILE_PATH", filepath.Join(t.TempDir(), "log"))
	library := cudatest.Build(t, "")
	driver, err := cuda.Open(library.Path)
	if err != nil {
		t.Fatal(err)
	}
	technique, err := loader.Find("direct")
	if err != nil {
		t.Fatal(err)
	}
	d := openGPU(t, library, driver, 16<<20, 0)
	l, err := technique.Open(t.Context(), loader.Options{Format: f, Device: d, Threads: 3, IOBytes: 64 << 10, GDS: mode, CuFile: cudatest.BuildCuFile(t, library.Dir)})
	if err == nil {
		t.Cleanup(func() {
			if err := l.Close(); err != nil {
				t.Errorf("close the loader: %v", err)
			}
		})
	}
	return l, err
}

func TestGPUDirectStorageReadsInTheModeAskedFor(t *testing.T) {
	for _, f := range []checkpoint.Format{checkpoint.SafeTensors, checkpoint.SLLM} {
		for _, test := range []struct{ mode, settings, method string }{
			{loader.GDSRequire, "nvfs", "cufile"},
			{loader.GDSRequire, "nvfs short=8192", "cufile"},
			{loader.GDSCompat, "", "cufile compat"},
		} {
			t.Run(fmt.Sprintf("%s, %s, %s", f, test.mode, test.settings), func(t *testing.T) {
				l, err := openDirectly(t, f, test.mode, test.settings)
				if err != nil {
					t.Fatal(err)
				}
				for _, files := range checkpoints() {
					loaded := load(t, l, write(t, t.TempDir(), f, files), files)
					if loaded.Reading.Method != test.method {
						t.Errorf("reported method %q", loaded.Reading.Method)
					}
				}
			})
		}
	}
}

// If the mode is not available, opening fails; nothing takes its place.
func TestWithoutGPUDirectStorage(t *testing.T) {
	var failure *cufile.Error
	if _, err := openDirectly(t, checkpoint.SLLM, loader.GDSRequire, ""); !errors.As(err, &failure) || failure.Code != 5001 || !strings.Contains(err.Error(), "nvidia-fs driver is not loaded") {
		t.Errorf("error %v", err)
	}
	technique, err := loader.Find("direct")
	if err != nil {
		t.Fatal(err)
	}
	_, err = technique.Open(t.Context(), loader.Options{Format: checkpoint.SLLM, Device: openHost(t, 1<<20), GDS: loader.GDSCompat, CuFile: "/not/there/libcufile.so.0"})
	if err == nil || !strings.Contains(err.Error(), "no GPUDirect Storage") {
		t.Errorf("without the library: %v", err)
	}
}

func TestAFailureOfGPUDirectStorageIsAnError(t *testing.T) {
	l, err := openDirectly(t, checkpoint.SLLM, loader.GDSRequire, "nvfs fail=3")
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := sparse(t, checkpoint.SLLM, 2)
	if _, err := l.Load(t.Context(), dir, stage.Begin()); err == nil || !strings.Contains(err.Error(), "cuFileRead: internal error") {
		t.Errorf("error %v", err)
	}
	t.Setenv("FAKE_CUFILE", "nvfs")
	dir, path := sparse(t, checkpoint.SLLM, 2)
	loaded, err := l.Load(t.Context(), dir, stage.Begin())
	if err != nil {
		t.Fatal(err)
	}
	if err := loaded.Free(); err != nil {
		t.Error(err)
	}
	if err := os.Truncate(path, 100_000); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Load(t.Context(), dir, stage.Begin()); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a truncated file: %v", err)
	}
}
