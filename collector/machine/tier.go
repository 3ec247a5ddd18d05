package machine

import "github.com/sllmq/sllmq/warehouse/record"

// Evidence is what was measured of where a load's bytes came from.
type Evidence struct {
	FileBytes           int64  // size of the files to be read
	ResidentBeforeBytes *int64 // of which were in the page cache before
	StorageReadBytes    *int64 // fetched from block devices during the load
	PoolHit             bool   // the model was in the pool
	Direct              bool   // O_DIRECT was in force for every read
}

// nearlyAll is the share of the bytes from which on a tier is named.
const nearlyAll = 0.95

// SourceTier names the tier that the bytes came from, "" if the evidence does
// not say.
//
// What the block layer counted decides. If it counted nothing although the pages
// were not in memory, as with network and pass-through filesystems, residency
// decides.
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
