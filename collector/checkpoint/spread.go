package checkpoint

import "fmt"

// Spread says for each tensor of c on which of several devices it goes, when
// each has so many bytes of room. Modules stay whole and follow each other in
// the order in which the model runs them, so that a step passes from one device
// to the next; each device gets about the same. Tied tensors go together, with
// the first of their modules.
//
// ServerlessLLM's loader for transformers does so with device_map "auto", by the
// modules of no_split_modules.json; here they are told by the tensors' names, as
// that file is made.
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
		// To the next device with what would be more over the share than under it.
		full := taken > 0 && taken+m.bytes/2 > share && device < len(room)-1
		for full || taken+m.bytes > room[device] {
			if device++; device == len(room) {
				return nil, fmt.Errorf("spread %s over %d devices: they have room for the modules before %s and not for its %d bytes", c.Dir, len(room), m.name, m.bytes)
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

// modules lists the modules in the order in which the model runs them, and for
// each tensor the number of its module.
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
	// A tied tensor goes with the earliest module of those that share it.
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
