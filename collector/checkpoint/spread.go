package checkpoint

import (
	"fmt"

	"github.com/sllmq/sllmq/internal/size"
)

// Spread assigns each tensor of c to one of len(room) devices, where room holds
// the devices' free bytes; the result has the device of each of c.Tensors.
// Modules are not split and keep the order in which the model runs them, so that
// a step passes from one device to the next. Devices get about equal shares.
// Tied tensors go to the device of the first of their modules.
//
// ServerlessLLM's loader for transformers does the same for device_map "auto",
// with the modules of no_split_modules.json. Spread derives them from the
// tensors' names, as moduleFiles does for that file.
func (c *Checkpoint) Spread(room []int64) ([]int, error) {
	modules, of := c.modules()
	var left int64
	for _, m := range modules {
		left += m.bytes
	}
	on := make([]int, len(modules))
	device, taken := 0, int64(0)
	for i, m := range modules {
		share := left / int64(len(room)-device)
		// Move on if the module would exceed the share by more than it falls short.
		full := taken > 0 && taken+m.bytes/2 > share && device < len(room)-1
		for full || taken+m.bytes > room[device] {
			if device++; device == len(room) {
				return nil, fmt.Errorf("spread %s over %d devices: they have no room for module %s of %s", c.Dir, len(room), m.name, size.Binary(m.bytes))
			}
			left -= taken
			taken, full = 0, false
		}
		on[i] = device
		taken += m.bytes
	}
	devices := make([]int, len(c.Tensors))
	for i, m := range of {
		devices[i] = on[m]
	}
	return devices, nil
}

// modules returns the modules in the order in which the model runs them, and
// the index of each tensor's module.
func (c *Checkpoint) modules() (modules []module, of []int) {
	specs := make([]spec, len(c.Tensors))
	for i, t := range c.Tensors {
		specs[i] = spec{name: t.Name, size: t.Size, tiedTo: -1}
		if i > 0 && t.Size > 0 && tied(c.Tensors[i-1], t) {
			specs[i].tiedTo, specs[i].size = i-1, 0
			if before := specs[i-1].tiedTo; before >= 0 {
				specs[i].tiedTo = before
			}
		}
	}
	modules = modulesOf(specs)
	number := make(map[string]int, len(modules))
	for i, m := range modules {
		number[m.name] = i
	}
	of = make([]int, len(specs))
	for i, s := range specs {
		of[i] = number[moduleOf(s.name)]
	}
	// A tied tensor belongs to the earliest of the modules that share it.
	earliest := map[int]int{}
	for i, s := range specs {
		if s.tiedTo >= 0 {
			if first, ok := earliest[s.tiedTo]; !ok || of[i] < first {
				earliest[s.tiedTo] = min(of[i], of[s.tiedTo])
			}
		}
	}
	for i, s := range specs {
		root := s.tiedTo
		if root < 0 {
			root = i
		}
		if first, ok := earliest[root]; ok && first != of[i] {
			modules[of[i]].bytes -= s.size
			modules[first].bytes += s.size
			of[i] = first
		}
	}
	return modules, of
}
