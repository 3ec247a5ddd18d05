package collector

import (
	"encoding/json"
	"path/filepath"

	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

func sessionRow(runID string, number int64, w *worker.Process) record.Session {
	row := record.Session{
		RunID:          runID,
		Session:        number,
		StartedAt:      w.StartedAt,
		PID:            new(int64(w.Ready.PID)),
		StartTimeS:     &w.StartTimeS,
		SetupTimeS:     &w.Ready.SetupS,
		PoolBytes:      w.Ready.PoolBytes,
		PoolLocked:     w.Ready.PoolLocked,
		PoolLockReason: known(w.Ready.LockReason),
		NUMANode:       wide(w.Ready.Node),
		HugePageBytes:  w.Ready.HugePageBytes,
	}
	if s := w.Ready.ServedBy; s != nil {
		row.StoreAddress, row.Store, row.StorePID, row.StoreStartTimeS, row.StoreVersion = &s.Address, known(s.Program), s.PID, s.StartTimeS, known(s.Version)
	}
	return row
}

func loadRows(runID string, seq, session int64, step Step, o *worker.Outcome, files []string) record.Batch {
	load := record.Load{
		RunID:                   runID,
		Seq:                     seq,
		Session:                 session,
		StartedAt:               o.StartedAt,
		Replica:                 int64(step.Replica),
		Warmup:                  step.Warmup,
		LoadingTimeS:            o.LoadingTimeS,
		Bytes:                   o.Bytes,
		Tensors:                 o.Tensors,
		SourceTier:              known(o.SourceTier),
		FileBytes:               o.FileBytes,
		MemoryTouchedBytes:      o.MemoryTouchedBytes,
		ResidentBeforeBytes:     o.ResidentBeforeBytes,
		ResidentAfterBytes:      o.ResidentAfterBytes,
		StorageReadBytes:        o.StorageReadBytes,
		DirectIO:                o.Direct,
		PoolHit:                 o.PoolHit,
		CPUUserS:                o.CPUUserS,
		CPUSystemS:              o.CPUSystemS,
		MajorFaults:             o.MajorFaults,
		MinorFaults:             o.MinorFaults,
		VoluntarySwitches:       o.VoluntarySwitches,
		InvoluntarySwitches:     o.InvoluntarySwitches,
		PeakRSSBytes:            o.PeakRSSBytes,
		DeviceMemoryBeforeBytes: o.DeviceMemoryBeforeBytes,
		DeviceMemoryAfterBytes:  o.DeviceMemoryAfterBytes,
		Verified:                o.Verified,
		Error:                   known(o.Error),
		PoolEvictedBytes:        o.PoolEvictedBytes,
		PoolStreamed:            o.PoolStreamed,
		StorageDeviceReadBytes:  o.StorageDeviceReadBytes,
		StorageDeviceReads:      o.StorageDeviceReads,
		StorageDeviceBusyS:      o.StorageDeviceBusyS,
		CPUPressureS:            o.CPUPressureS,
		MemoryPressureS:         o.MemoryPressureS,
		IOPressureS:             o.IOPressureS,
		MachineCPUS:             o.MachineCPUS,
		StealS:                  o.StealS,
		ThrottledS:              o.ThrottledS,
		DeviceMemoryPeakBytes:   o.DeviceMemoryPeakBytes,
		IOMethod:                known(o.IOMethod),
		IODepth:                 o.IODepth,
		IOSizeBytes:             o.IOSizeBytes,
		CPUDelayS:               o.CPUDelayS,
		BlockDelayS:             o.BlockDelayS,
		MemoryDelayS:            o.MemoryDelayS,
		KernelThreadsCPUS:       o.KernelThreadsCPUS,
	}
	batch := record.Batch{Loads: []record.Load{load}}
	for _, s := range o.Stages {
		batch.Stages = append(batch.Stages, record.Stage{
			RunID:     runID,
			Seq:       seq,
			Stage:     s.Name,
			StartS:    s.Start.Seconds(),
			DurationS: (s.End - s.Start).Seconds(),
			BusyS:     new(s.Busy.Seconds()),
			Bytes:     bytesOf(s.Bytes),
		})
	}
	for i, c := range o.Chunks {
		row := record.IOTrace{
			RunID:       runID,
			Seq:         seq,
			Chunk:       int64(i),
			OffsetBytes: c.Offset,
			Bytes:       c.Bytes,
			QueuedS:     new(c.Queued.Seconds()),
			StartS:      c.Start.Seconds(),
			DurationS:   (c.End - c.Start).Seconds(),
			CopiedS:     new(c.Copied.Seconds()),
			Thread:      int64(c.Thread),
		}
		if c.File < len(files) {
			row.File = filepath.Base(files[c.File])
		}
		batch.IOTraces = append(batch.IOTraces, row)
	}
	return batch
}

func inferenceRow(runID string, seq int64, asked worker.Generate, g *worker.Generated) record.Inference {
	row := record.Inference{
		RunID:        runID,
		Seq:          seq,
		Prompt:       &g.Prompt,
		Error:        known(g.Error),
		Unsupported:  known(g.Unsupported),
		MaxNewTokens: new(int64(asked.NewTokens)),
		Temperature:  &asked.Temperature,
		TopP:         &asked.TopP,
		Device:       known(g.Device),
	}
	if g.Device == "" || g.Device == "host" {
		row.Threads = new(int64(asked.Threads))
	}
	if asked.Temperature > 0 {
		row.Seed = &asked.Seed
	}
	if g.TokenIDsSHA256 == "" {
		return row // there are no tokens
	}
	row.EndToEndTimeS = &g.EndToEndTimeS
	row.ThroughputTokensS = &g.ThroughputTokensPerS
	row.TimeToFirstTokenS = &g.TimeToFirstTokenS
	row.DecodeTokensPerS = g.DecodeTokensPerS
	row.InputTokens = new(int64(g.InputTokens))
	row.OutputTokens = new(int64(g.OutputTokens))
	row.OutputText = &g.Text
	row.TokenIDsSHA256 = &g.TokenIDsSHA256
	if times, err := json.Marshal(g.TokenTimesS); err == nil { // finite numbers always can be
		row.TokenTimesS = new(string(times))
	}
	return row
}

// known is nil for what was not to be had.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func wide(n *int) *int64 {
	if n == nil {
		return nil
	}
	return new(int64(*n))
}

// bytesOf is nil for a stage that moves no bytes.
func bytesOf(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}
