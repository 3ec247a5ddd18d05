// Package machine reads what this machine is (Describe: hardware, storage,
// GPUs) and what it and its processes do (ReadSystem, ReadUsage, ReadSample,
// GPU.Status), and tells where a load's bytes came from: it reads and drops the
// page cache and names the source tier.
//
// Nothing here needs root. A fact that the kernel or a driver does not report is
// nil, never guessed.
package machine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Describe returns the facts of this machine and of the storage under
// storagePath, which need not exist yet: its nearest existing parent stands for
// it. The ID is a digest of the facts, so that a machine keeps it until one of
// them changes. Opening the GPUs' driver may take seconds.
func Describe(ctx context.Context, storagePath string) (record.Machine, error) {
	host, err := os.Hostname()
	if err != nil {
		return record.Machine{}, fmt.Errorf("describe this machine: %w", err)
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return record.Machine{}, fmt.Errorf("describe this machine's kernel: %w", err)
	}
	m := record.Machine{
		Machine:     host,
		OS:          osName(),
		Kernel:      known(string(bytes.TrimRight(uts.Release[:], "\x00"))),
		Arch:        known(runtime.GOARCH),
		CPUs:        new(int64(runtime.NumCPU())),
		NUMANodes:   count("/sys/devices/system/node/node[0-9]*"),
		HugePages:   hugePages(),
		CPUGovernor: known(ReadLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),

		FreePageReporting: freePageReporting("/sys/bus/virtio/devices"),
	}
	m.CPUModel, m.CPUSockets, m.Hypervisor = cpu()
	if total, err := memInfo("MemTotal"); err == nil {
		m.MemoryBytes = &total
	}
	if err := describeStorage(storagePath, &m); err != nil {
		return record.Machine{}, err
	}
	described, err := sharedlib.Await(ctx, func() (record.Machine, error) { return withGPUs(m), nil })
	if err != nil {
		return record.Machine{}, fmt.Errorf("describe this machine's GPUs: %w", err)
	}
	// Marshalled before it has a time, which is not a fact.
	facts, err := json.Marshal(described)
	if err != nil {
		return record.Machine{}, fmt.Errorf("digest the machine's facts: %w", err)
	}
	digest := sha256.Sum256(facts)
	described.ID = hex.EncodeToString(digest[:8])
	described.FirstSeenAt = time.Now().UTC()
	return described, nil
}
