package machine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/nvml"
	"github.com/sllmq/sllmq/warehouse/record"
)

// GPU is a CUDA device, seen from outside: no context is made on it.
type GPU struct {
	Ordinal    int
	Name       string
	UUID       string
	TotalBytes int64
	seen       *nvml.GPU // nil: there is no NVML, or it does not know the device
}

// GPUs are those that were asked for.
type GPUs struct {
	List    []GPU
	library *nvml.Library
}

// OpenGPUs finds the devices with these ordinals, as CUDA counts them, and
// what NVML can tell of them.
func OpenGPUs(ordinals []int) (*GPUs, error) {
	driver, err := cuda.Open("")
	if err != nil {
		return nil, err
	}
	all := &GPUs{}
	all.library, _ = nvml.Open("") // without it there is less to tell
	for _, ordinal := range ordinals {
		g, err := all.find(driver, ordinal)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all.List = append(all.List, g)
	}
	return all, nil
}

func (all *GPUs) find(driver *cuda.Driver, ordinal int) (GPU, error) {
	g := GPU{Ordinal: ordinal}
	d, err := driver.Device(ordinal)
	if err != nil {
		return g, err
	}
	if g.Name, err = d.Name(); err != nil {
		return g, err
	}
	if g.TotalBytes, err = d.TotalBytes(); err != nil {
		return g, err
	}
	uuid, err := d.UUID()
	if err != nil {
		return g, err
	}
	g.UUID = uuid.String()
	if all.library != nil {
		if seen, err := all.library.Find(g.UUID); err == nil {
			g.seen = seen
		}
	}
	return g, nil
}

// Close gives NVML back.
func (all *GPUs) Close() error {
	if all == nil || all.library == nil {
		return nil
	}
	return all.library.Close()
}

// Device is the name that devices have here.
func (g GPU) Device() string { return fmt.Sprintf("cuda:%d", g.Ordinal) }

// FreeBytes is how much memory nobody uses: all of it where that is not known.
func (g GPU) FreeBytes() int64 {
	if used := g.UsedBytes(); used != nil {
		return max(0, g.TotalBytes-*used)
	}
	return g.TotalBytes
}

// UsedBytes is how much memory is in use, by whomever.
func (g GPU) UsedBytes() *int64 {
	if g.seen == nil {
		return nil
	}
	used, _, err := g.seen.Memory()
	if err != nil {
		return nil
	}
	return &used
}

// Status is how the GPU is now; empty where NVML can't tell.
func (g GPU) Status() nvml.Status {
	if g.seen == nil {
		return nvml.Status{}
	}
	return g.seen.Status()
}

// Processes is how many processes compute on the GPU; nil: not known.
func (g GPU) Processes() *int64 {
	if g.seen == nil {
		return nil
	}
	list, err := g.seen.Processes()
	if err != nil {
		return nil
	}
	return new(int64(len(list)))
}

// gpus fills in what the machine has of GPUs, where NVML is there to tell.
func gpus(m *record.Machine) {
	library, err := nvml.Open("")
	if err != nil {
		return
	}
	defer func() { _ = library.Close() }() // nothing hangs on it
	if v, err := library.Driver(); err == nil {
		m.GPUDriver = known(v)
	}
	all, err := library.GPUs()
	if err != nil || len(all) == 0 {
		return
	}
	m.GPUs = new(int64(len(all)))
	m.GPUUUIDs = uuids(all)
	if name, err := all[0].Name(); err == nil {
		m.GPUModel = known(name)
	}
	if _, total, err := all[0].Memory(); err == nil {
		m.GPUMemoryBytes = &total
	}
}

// uuids are those of all GPUs, with commas; nil where one does not tell its own.
func uuids(all []*nvml.GPU) *string {
	var list []string
	for _, g := range all {
		uuid, err := g.UUID()
		if err != nil {
			return nil
		}
		list = append(list, uuid)
	}
	return known(strings.Join(list, ","))
}
