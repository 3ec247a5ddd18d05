package collector

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/internal/size"
)

// devices are the devices of the arms: those that were named, or all of them
// as one.
func (c Config) devices() []string {
	if c.DeviceMap == DeviceMapAuto {
		return []string{strings.Join(c.Devices, "+")}
	}
	return c.Devices
}

// openGPUs finds the GPUs that the devices name; nil where they name none, and
// nothing of NVIDIA's is opened then.
func openGPUs(ctx context.Context, devices []string) (*machine.GPUs, error) {
	var ordinals []int
	for _, name := range devices {
		n, err := device.Parse(name)
		if err != nil {
			return nil, &UsageError{err}
		}
		for _, i := range n.GPUs {
			if !slices.Contains(ordinals, i) {
				ordinals = append(ordinals, i)
			}
		}
	}
	if len(ordinals) == 0 {
		return nil, nil
	}
	gpus, err := machine.OpenGPUs(ctx, ordinals)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", strings.Join(devices, ","), err)
	}
	return gpus, nil
}

// gpusOf are those that a device names.
func gpusOf(name string, gpus *machine.GPUs) ([]machine.GPU, error) {
	n, err := device.Parse(name)
	if err != nil || len(n.GPUs) == 0 {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(gpus.List), func(g machine.GPU) bool { return !slices.Contains(n.GPUs, g.Ordinal) }), nil
}

// spareGPU is left on each GPU to the driver and to what it puts there for a
// process: some hundred MiB.
const spareGPU = 640 << 20

// fitGPUs holds what a load takes on the arm's GPUs against what they have.
func fitGPUs(arm Arm, gpus *machine.GPUs) error {
	if arm.Device == hostDevice || arm.Worker.DeviceBytes == 0 {
		return nil
	}
	those, err := gpusOf(arm.Device, gpus)
	if err != nil {
		return err
	}
	var total, free int64
	for _, g := range those {
		total += max(0, g.TotalBytes-spareGPU)
		free += max(0, g.FreeBytes()-spareGPU)
	}
	need := arm.Worker.DeviceBytes
	what := fmt.Sprintf("%s in %s takes %s on device %s", arm.Checkpoint.Model.Name, arm.Worker.Format, size.Binary(need), arm.Device)
	switch {
	case need > total:
		return fmt.Errorf("%s, which has %s for it: use a smaller model, or more GPUs with --device-map auto", what, size.Binary(total))
	case need > free:
		return fmt.Errorf("%s, of which others leave %s: free it (nvidia-smi lists who has it) or use a smaller model", what, size.Binary(free))
	}
	return nil
}
