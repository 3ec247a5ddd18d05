package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/nvml"
	"github.com/sllmq/sllmq/collector/nvidia/nvrtc"
	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
	"github.com/sllmq/sllmq/internal/size"
	"github.com/sllmq/sllmq/internal/text"
)

// gpus tries what loads to a GPU need: the driver, a copy to each GPU and back,
// NVML, and the compiler of the kernels that generate text.
func gpus(ctx context.Context, o Options) []Finding {
	list, err := sharedlib.Await(ctx, func() ([]Finding, error) { return tryGPUs(o), nil })
	if err != nil {
		return []Finding{{Check: "GPU", State: Warn, Saw: err.Error()}}
	}
	return list
}

func tryGPUs(o Options) []Finding {
	driver, err := cuda.Open(o.CUDA)
	if err != nil {
		return []Finding{withoutDriver(err)}
	}
	list := []Finding{management(o.NVML)}
	version, err := driver.Version()
	n, countErr := driver.Devices()
	if err = errors.Join(err, countErr); err != nil {
		return append(list, Finding{Check: "CUDA", State: Fail, Saw: text.OneLine(err.Error()), Do: "run nvidia-smi, and sudo dmesg | grep NVRM"})
	}
	list = append(list, Finding{Check: "CUDA", State: OK, Saw: fmt.Sprintf("the driver supports CUDA %d.%d", version/1000, version%1000/10)})
	if n == 0 {
		list = append(list, Finding{Check: "GPU", State: None, Saw: "the driver has none for this process", Do: "unset CUDA_VISIBLE_DEVICES if it hides them; docker run --gpus all"})
	}
	for i := range n {
		list = append(list, gpu(driver, i))
	}
	return append(list, compiler())
}

func compiler() Finding {
	f := Finding{Check: "NVRTC", State: OK, Saw: "text can be generated on the GPU"}
	if _, err := nvrtc.Open(""); err != nil {
		f.State, f.Saw = None, text.OneLine(err.Error())+": loads are measured without generating text on the GPU"
		f.Do = "install CUDA's nvrtc, for instance with pip install nvidia-cuda-nvrtc"
	}
	return f
}

// withoutDriver tells a machine without a GPU from one whose driver is missing or
// broken.
func withoutDriver(err error) Finding {
	f := Finding{Check: "GPU", State: None, Saw: "no NVIDIA GPU: loads go to the host"}
	vendors, globErr := filepath.Glob("/sys/bus/pci/devices/*/vendor")
	if globErr != nil {
		return f
	}
	for _, file := range vendors {
		const nvidia, display = "0x10de", "0x03"
		if machine.ReadLine(file) == nvidia && strings.HasPrefix(machine.ReadLine(filepath.Dir(file), "class"), display) {
			f.State, f.Saw = Warn, "this machine has an NVIDIA GPU that can't be used: "+text.OneLine(err.Error())
			f.Do = "install NVIDIA's driver; in a container, docker run --gpus all"
			return f
		}
	}
	if !errors.Is(err, sharedlib.ErrNotFound) {
		f.Saw = "the driver is installed but has no GPU: " + text.OneLine(err.Error())
	}
	return f
}

// gpu copies to the device and back.
func gpu(driver *cuda.Driver, ordinal int) Finding {
	f := Finding{Check: fmt.Sprintf("cuda:%d", ordinal), State: OK}
	device, err := driver.Device(ordinal)
	var name string
	if err == nil {
		name, err = device.Name()
	}
	var free, total int64
	if err == nil {
		free, total, err = roundTrip(device)
	}
	if err != nil {
		f.State, f.Saw, f.Do = Fail, strings.TrimSpace(name+" "+text.OneLine(err.Error())), "run nvidia-smi: it shows the GPU's health and who uses its memory"
		return f
	}
	f.Saw = fmt.Sprintf("%s, %s of %s free, copies to it and back", name, size.Decimal(free), size.Decimal(total))
	if free < total*3/4 {
		f.State, f.Do = Warn, "others use it, which affects times: nvidia-smi lists them"
	}
	return f
}

func roundTrip(device *cuda.Device) (free, total int64, err error) {
	c, err := device.Retain()
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, c.Release()) }()
	if free, total, err = c.Memory(); err != nil {
		return 0, 0, err
	}
	p, err := c.Alloc(trial)
	if err != nil {
		return 0, 0, err
	}
	back := make([]byte, trial)
	err = c.CopyToDevice(p, pattern())
	if err == nil {
		err = c.CopyFromDevice(back, p)
	}
	if err == nil && !bytes.Equal(back, pattern()) {
		err = errors.New("other bytes came back than were copied to it")
	}
	return free, total, errors.Join(err, c.Free(p))
}

// management checks NVML, and through it whether the GPUs run at full speed.
func management(path string) (f Finding) {
	f = Finding{Check: "driver", State: OK}
	warn := func(err error) { f.State, f.Saw = Warn, strings.TrimPrefix(f.Saw+", ", ", ")+text.OneLine(err.Error()) }
	library, err := nvml.Open(path)
	if err != nil {
		warn(err)
		f.Saw += ": rows will lack the GPUs' memory, clocks and throttling"
		f.Do = "install libnvidia-ml.so.1, which comes with the driver; in a container, NVIDIA_DRIVER_CAPABILITIES=compute,utility"
		return f
	}
	defer func() {
		if err := library.Close(); err != nil {
			warn(err)
		}
	}()
	if f.Saw, err = library.Driver(); err != nil {
		warn(err)
		return f
	}
	all, err := library.GPUs()
	if err != nil {
		warn(err)
		return f
	}
	for i, g := range all {
		if status := g.Status(); status.Reasons != nil && status.Reasons.Throttling() != 0 {
			f.State, f.Saw = Warn, fmt.Sprintf("%s; GPU %d is throttled: %s", f.Saw, i, status.Reasons.Throttling())
			f.Do = "let it cool, or run nvidia-smi -q -d PERFORMANCE"
		}
	}
	return f
}
