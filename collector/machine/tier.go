package machine

import "github.com/sllmq/sllmq/warehouse/record"

// Evidence is what is known about where a load's bytes came from.
type Evidence struct {
	FileBytes           int64  // of the files that were to be read
	ResidentBeforeBytes *int64 // of them in the page cache before
	StorageReadBytes    *int64 // fetched from block devices during the load
	PoolHit             bool   // the model lay in the pool
	Direct              bool   // O_DIRECT was in force for every read
}

// A tier is named when at least this share of the bytes came from it.
const nearlyAll = 0.95

// SourceTier tells where the bytes came from, "" when nothing tells.
//
// What the block layer counted decides. Where it counted nothing although the
// pages were not in memory (network and pass-through filesystems are not its
// business), the residency does.
func SourceTier(e Evidence) string {
	if e.PoolHit {
		return record.TierPool
	}
	if e.FileBytes == 0 {
		return ""
	}
	share := func(n int64) float64 { return float64(n) / float64(e.FileBytes) }
	if e.StorageReadBytes != nil {
		switch read := share(*e.StorageReadBytes); {
		case read >= nearlyAll:
			return record.TierStorage
		case read > 1-nearlyAll:
			return record.TierMixed
		}
	}
	switch {
	case e.Direct && e.StorageReadBytes == nil:
		return record.TierStorage
	case e.ResidentBeforeBytes == nil:
		return ""
	}
	switch resident := share(*e.ResidentBeforeBytes); {
	case resident >= nearlyAll:
		return record.TierPageCache
	case resident <= 1-nearlyAll:
		return record.TierStorage
	default:
		return record.TierMixed
	}
}
