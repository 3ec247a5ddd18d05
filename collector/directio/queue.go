package directio

// Queue is the least number of reads to have under way at once.
const Queue = 8

// MaxRequest is the most that RequestBytes gives: above, nothing is gained.
const MaxRequest = 16 << 20

// minRequest is the least: below, storage is asked too often.
const minRequest = 1 << 20

// RequestBytes is how much to ask for at once of total bytes, so that every
// place in a queue gets several turns and none is waited for long at the end.
//
// What counts is how many bytes are under way. Seen with virtio storage, in
// medians of nine over 2.6 GB, beside 8 reads of 16 MiB: 16 of 16 MiB 1.01, 4 of
// 16 MiB 0.94, 8 of 4 MiB 0.97, 4 of 4 MiB 0.87, 4 of 1 MiB 0.77.
func RequestBytes(total int64, queue int) int64 {
	const turns = 4
	share := total / (turns * int64(max(1, queue)))
	return min(max(share/minRequest*minRequest, minRequest), MaxRequest)
}
