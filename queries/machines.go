package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"time"
)

//go:embed sql/machines.sql
var machinesSQL string

// Machine is where chosen loads were measured. What is not known is nil.
type Machine struct {
	Machine                                                           string
	Loads                                                             int64
	SllmqVersions, OS, Kernel, Arch, CPUModel                         *string
	CPUs, CPUSockets, NUMANodes                                       *int64
	CPUGovernor                                                       *string
	MemoryBytes                                                       *int64
	HugePages                                                         *string
	FreePageReporting                                                 *bool
	Hypervisor                                                        *string
	GPUModel                                                          *string
	GPUs, GPUMemoryBytes                                              *int64
	GPUDriver                                                         *string
	MountPoint, Filesystem, MountOptions, StorageDevice, StorageModel *string
	StorageRotational                                                 *bool
	StorageScheduler                                                  *string
	StorageMaxIOBytes, StorageReadAheadBytes, StorageBytes            *int64
	StorageBytesPerS, CopyBytesPerS, DeviceBytesPerS                  *float64 // the best that was measured
}

// Machines answers sql/machines.sql for the loads that f chooses.
func Machines(ctx context.Context, db *sql.DB, f Filter) ([]Machine, error) {
	return all(ctx, db, "list machines", func(rows *sql.Rows, m *Machine) error {
		return rows.Scan(&m.Machine, &m.Loads, &m.SllmqVersions, &m.OS, &m.Kernel, &m.Arch, &m.CPUModel, &m.CPUs, &m.CPUSockets, &m.NUMANodes, &m.CPUGovernor,
			&m.MemoryBytes, &m.HugePages, &m.FreePageReporting, &m.Hypervisor, &m.GPUModel, &m.GPUs, &m.GPUMemoryBytes, &m.GPUDriver,
			&m.MountPoint, &m.Filesystem, &m.MountOptions, &m.StorageDevice, &m.StorageModel, &m.StorageRotational, &m.StorageScheduler, &m.StorageMaxIOBytes, &m.StorageReadAheadBytes, &m.StorageBytes,
			&m.StorageBytesPerS, &m.CopyBytesPerS, &m.DeviceBytesPerS)
	}, f.over(machinesSQL))
}

//go:embed sql/failures.sql
var failuresSQL string

// Failure is a load that failed.
type Failure struct {
	StartedAt                                             time.Time
	Machine, Model, BenchmarkType, Format, Loader, Device string
	RunID                                                 string
	Seq, Replica                                          int64
	Error                                                 string
}

// Failures answers sql/failures.sql for the loads that f chooses.
func Failures(ctx context.Context, db *sql.DB, f Filter) ([]Failure, error) {
	return all(ctx, db, "list failures", func(rows *sql.Rows, l *Failure) error {
		return rows.Scan(&l.StartedAt, &l.Machine, &l.Model, &l.BenchmarkType, &l.Format, &l.Loader, &l.Device, &l.RunID, &l.Seq, &l.Replica, &l.Error)
	}, f.over(failuresSQL))
}
