package symbols

import (
	"debug/elf"
	"os"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// The program leaves no function of NVML to the dynamic linker, which with -z now
// would end it before main, and gives none of its own to libraries.
func TestEveryFunctionIsDefinedHere(t *testing.T) {
	nvml.New() // so that the linker keeps go-nvml
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	dynamic, err := program.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range dynamic {
		if strings.HasPrefix(s.Name, "nvml") {
			t.Errorf("%s is a dynamic symbol: run go generate after an update of go-nvml", s.Name)
		}
	}
}

// Before any library is open, calls fail instead of ending the process.
func TestUnboundFunctionsFail(t *testing.T) {
	api := nvml.New(nvml.WithLibraryPath("libc.so.6"))
	if ret := api.Init(); ret != nvml.ERROR_FUNCTION_NOT_FOUND || ret.Error() != "unknown error" {
		t.Errorf("nvmlInit: %d, %v", ret, ret)
	}
	if _, ret := api.DeviceGetCount(); ret != nvml.ERROR_FUNCTION_NOT_FOUND {
		t.Errorf("nvmlDeviceGetCount: %d", ret)
	}
}
