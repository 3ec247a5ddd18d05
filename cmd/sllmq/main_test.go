package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sllmq/sllmq/collector/checkpoint/filetest"
	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/collector/sllmstore/storetest"
)

// With this variable set the test binary is sllmq itself, workers included.
const isProgram = "SLLMQ_TEST_MAIN"

func TestMain(m *testing.M) {
	storetest.Main()
	if os.Getenv(isProgram) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"sllmq": main})
}

// TestScripts runs testdata/*.txtar against the real program. With -update in
// the environment variable UPDATE_SCRIPTS, what they compare is rewritten.
func TestScripts(t *testing.T) { runScripts(t, "testdata", nil) }

// TestGPUScripts runs testdata/gpu/*.txtar with fakes of NVIDIA's libraries, so
// that the program and its workers find GPUs. OLD_NVML has an older fake NVML.
func TestGPUScripts(t *testing.T) {
	library := cudatest.Build(t, "")
	cudatest.BuildNVML(t, library.Dir)
	cudatest.BuildCuFile(t, library.Dir)
	old := t.TempDir()
	cudatest.BuildNVML(t, old, "nvmlSystemGetDriverVersion", "nvmlDeviceGetName", "nvmlDeviceGetPowerUsage", "nvmlDeviceGetUtilizationRates",
		"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetComputeRunningProcesses_v3")
	runScripts(t, "testdata/gpu", map[string]string{"LD_LIBRARY_PATH": library.Dir, "OLD_NVML": old})
}

func runScripts(t *testing.T, dir string, variables map[string]string) {
	testscript.Run(t, testscript.Params{
		Dir:           dir,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			for name, value := range variables {
				env.Setenv(name, value)
			}
			env.Setenv(isProgram, "1")
			// A second for each session; scripts that want one say so.
			env.Setenv("SLLMQ_NO_ROOFLINE", "true")
			standins, err := filepath.Abs("../../collector/worker/testdata/standins")
			env.Setenv("STANDINS", standins)
			env.Setenv("DEPLOY", filepath.Join(standins, "../../../../deploy"))
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"checkpoint": writeCheckpoint,
			"flip":       flip,
			"cut":        cut,
			"measure":    measure,
		},
	})
}

// exits runs a program and holds its exit code: exits 2 sllmq collect.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// writeCheckpoint makes a folder with a small safetensors checkpoint:
// checkpoint DIR [HEADER], where HEADER takes the place of the right one.
func writeCheckpoint(ts *testscript.TestScript, _ bool, args []string) {
	header := smallHeader
	if len(args) > 1 {
		header = args[1]
	}
	ts.Check(checkpointIn(ts.MkAbs(args[0]), header))
}

const smallHeader = `{"a":{"dtype":"F16","shape":[1000,3],"data_offsets":[0,6000]},"b":{"dtype":"F16","shape":[],"data_offsets":[6000,6002]}}`

func checkpointIn(dir, header string) error {
	data := make([]byte, 6002)
	for i := range data {
		data[i] = byte(i * 7 >> 2)
	}
	return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "model.safetensors"), filetest.SafeTensors(header, data), 0o644))
}

// flip changes a bit of a file: flip FILE OFFSET.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	text[at] ^= 4
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o644))
}

// cut makes a file shorter: cut FILE BYTES.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), size))
}
