package machine

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

func osName() *string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return known(runtime.GOOS)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			return known(strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
	return known(runtime.GOOS)
}

// hugePages returns the bracketed word of the kernel's setting.
func hugePages() *string {
	_, rest, _ := strings.Cut(ReadLine("/sys/kernel/mm/transparent_hugepage/enabled"), "[")
	word, _, ok := strings.Cut(rest, "]")
	if !ok {
		return nil
	}
	return known(word)
}

// freePageReporting reads the balloon below dir, where the kernel lists virtio
// devices: the balloon is type 5, and its feature 5 is free page reporting
// (Virtual I/O Device 1.2, section 5.5). The kernel writes features as a string
// of bits, bit 0 first.
func freePageReporting(dir string) *bool {
	devices, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil
	}
	for _, device := range devices {
		const reporting = 5
		features := ReadLine(device, "features")
		if ReadLine(device, "device") == "0x0005" && len(features) > reporting {
			return new(features[reporting] == '1')
		}
	}
	return nil
}

// cpu returns the CPU's model, the number of sockets, and the hypervisor's
// vendor in a virtual machine.
func cpu() (model *string, sockets *int64, hypervisor *string) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil, nil, nil
	}
	packages := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "model name":
			model = known(value)
		case "physical id":
			packages[value] = true
		case "flags":
			if hypervisor == nil && strings.Contains(" "+value+" ", " hypervisor ") {
				hypervisor = new(cmp.Or(ReadLine("/sys/class/dmi/id/sys_vendor"), "unnamed"))
			}
		}
	}
	if len(packages) > 0 {
		sockets = new(int64(len(packages)))
	}
	return model, sockets, hypervisor
}
