package roofline_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/roofline"
)

func TestSummarize(t *testing.T) {
	trial := func(kind string, threads int, bytes int64) roofline.Measurement {
		return roofline.Measurement{Kind: kind, Method: "m", Threads: threads, IOBytes: 4096, Bytes: bytes, Took: time.Second}
	}
	got := roofline.Summarize([]roofline.Measurement{
		trial(roofline.HostToDevice, 1, 900),
		trial(roofline.MemoryCopy, 1, 800),
		trial(roofline.StorageRead, 1, 100),
		trial(roofline.StorageRead, 4, 300),
		trial(roofline.StorageRead, 1, 700), // one lucky trial
		trial(roofline.StorageRead, 4, 310),
		trial(roofline.StorageRead, 1, 120),
	})
	want := []roofline.Summary{
		{Kind: roofline.StorageRead, Method: "m", Threads: 4, IOBytes: 4096, Trials: 2, Median: 305, Best: 310},
		{Kind: roofline.StorageRead, Method: "m", Threads: 1, IOBytes: 4096, Trials: 3, Median: 120, Best: 700},
		{Kind: roofline.MemoryCopy, Method: "m", Threads: 1, IOBytes: 4096, Trials: 1, Median: 800, Best: 800},
		{Kind: roofline.HostToDevice, Method: "m", Threads: 1, IOBytes: 4096, Trials: 1, Median: 900, Best: 900},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := roofline.Summarize(nil); len(got) != 0 {
		t.Errorf("no trials: %+v", got)
	}
}
