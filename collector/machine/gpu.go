package machine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/nvml"
	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
	"github.com/sllmq/sllmq/warehouse/record"
)

// GPU is a CUDA device, observed without a context on it.
type GPU struct {
	Ordinal    int
	Name       string
	UUID       string
	TotalBytes int64
	observed   *nvml.GPU // nil if NVML is missing or does not know the device
}

// GPUs are open for observation until Close.
type GPUs struct {
	List    []GPU
	library *nvml.Library
}

// OpenGPUs finds the GPUs with these ordinals, as CUDA counts them, and
// observes them through NVML if it is there. Opening the driver may take seconds.
func OpenGPUs(ctx context.Context, ordinals []int) (*GPUs, error) {
	return sharedlib.Await(ctx, func() (*GPUs, error) { return openGPUs(ordinals) })
}

func openGPUs(ordinals []int) (*GPUs, error) {
	driver, err := cuda.Open("")
	if err != nil {
		return nil, err
	}
	all := &GPUs{}
	all.library, _ = nvml.Open("") // without it the GPUs report less
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
		if observed, err := all.library.Find(g.UUID); err == nil {
			g.observed = observed
		}
	}
	return g, nil
}

// Close ends the observation. Closing nil does nothing.
func (all *GPUs) Close() error {
	if all == nil || all.library == nil {
		return nil
	}
	return all.library.Close()
}

// Device returns the device's name, such as cuda:0.
func (g GPU) Device() string { return fmt.Sprintf("cuda:%d", g.Ordinal) }

// FreeBytes returns how much of the GPU's memory nobody uses: all of it if NVML
// does not report the use.
func (g GPU) FreeBytes() int64 {
	if used := g.UsedBytes(); used != nil {
		return max(0, g.TotalBytes-*used)
	}
	return g.TotalBytes
}

// UsedBytes returns how much of the GPU's memory is in use, by anybody; nil if
// NVML does not report it.
func (g GPU) UsedBytes() *int64 {
	if g.observed == nil {
		return nil
	}
	used, _, err := g.observed.Memory()
	if err != nil {
		return nil
	}
	return &used
}

// Status returns the GPU's clocks, power and so on; empty if NVML does not
// report them.
func (g GPU) Status() nvml.Status {
	if g.observed == nil {
		return nvml.Status{}
	}
	return g.observed.Status()
}

// Processes returns how many processes compute on the GPU; nil if NVML does not
// report it.
func (g GPU) Processes() *int64 {
	if g.observed == nil {
		return nil
	}
	list, err := g.observed.Processes()
	if err != nil {
		return nil
	}
	return new(int64(len(list)))
}

// withGPUs adds the machine's GPUs as far as NVML reports them.
func withGPUs(m record.Machine) record.Machine {
	library, err := nvml.Open("")
	if err != nil {
		return m
	}
	defer func() { _ = library.Close() }() // the facts are read already
	if v, err := library.Driver(); err == nil {
		m.GPUDriver = known(v)
	}
	all, err := library.GPUs()
	if err != nil || len(all) == 0 {
		return m
	}
	m.GPUs = new(int64(len(all)))
	m.GPUUUIDs = uuids(all)
	if name, err := all[0].Name(); err == nil {
		m.GPUModel = known(name)
	}
	if _, total, err := all[0].Memory(); err == nil {
		m.GPUMemoryBytes = &total
	}
	return m
}

// uuids returns the UUIDs of all GPUs, separated by commas; nil if one of them
// does not report its own.
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
