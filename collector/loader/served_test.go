package loader_test

import (
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/sllmstore/server"
	"github.com/sllmq/sllmq/collector/sllmstore/storetest"
)

// openShared is openHost for loaders whose server writes to the memory.
func openShared(t *testing.T, bytes int64) device.Device {
	t.Helper()
	d, err := device.OpenShared("host", bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close the device: %v", err)
		}
	})
	return d
}

// serve starts a store in this process whose storage path is the root folder.
// cmd/sllmq has tests with a store in a process of its own.
func serve(t *testing.T, a arm, o loader.Options) loader.StoreOptions {
	t.Helper()
	so := server.Options{
		StoragePath: "/", PoolBytes: o.PoolBytes, ChunkBytes: o.ChunkBytes, Threads: o.Threads,
	}
	if a.gpu {
		count, err := a.driver.Devices()
		if err != nil {
			t.Fatal(err)
		}
		var all []int
		for i := range count {
			all = append(all, i)
		}
		gpu, err := device.OpenCUDA(a.driver, all, 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := gpu.Close(); err != nil {
				t.Errorf("close the store's device: %v", err)
			}
		})
		so.Locker, so.Devices = device.LockerOf(gpu), device.Importers(gpu)
	}
	so.Devices = append(so.Devices, device.HostImporter{})
	for i, d := range so.Devices {
		so.Devices[i] = hookedImporter{d, o.Device}
	}
	_, address, _ := storetest.Serve(t, so, 0)
	return loader.StoreOptions{Address: address, StoragePath: "/", LoadTimeout: time.Minute}
}

// hookedImporter calls a hooked device's hook when the store opens its memory: the
// store has just begun to read then.
type hookedImporter struct {
	device.Importer
	of device.Device
}

func (i hookedImporter) Import(handle []byte) (device.Memory, error) {
	var hook *hooked
	switch d := i.of.(type) {
	case *hooked:
		hook = d
	case *addressed:
		hook = &d.hooked
	case *locking:
		hook = &d.hooked
	}
	if hook != nil && hook.act != nil {
		hook.act()
	}
	return i.Importer.Import(handle)
}
