package roofline

import (
	"cmp"
	"slices"

	"github.com/sllmq/sllmq/queries/stats"
)

// Summary is the result of all trials of one kind, method, number of threads and
// read size.
type Summary struct {
	Kind    string
	Method  string
	Threads int
	IOBytes int64 // size of a read; 0: does not apply
	Trials  int
	Median  float64 // bytes per second
	Best    float64 // bytes per second
}

// Summarize sums trials up, reading before copying and the highest median of each
// kind first.
func Summarize(all []Measurement) []Summary {
	trials := map[Summary][]float64{}
	for _, m := range all {
		setting := Summary{Kind: m.Kind, Method: m.Method, Threads: m.Threads, IOBytes: m.IOBytes}
		trials[setting] = append(trials[setting], m.BytesPerS())
	}
	var list []Summary
	for s, rates := range trials {
		s.Trials, s.Median, s.Best = len(rates), stats.Median(rates), slices.Max(rates)
		list = append(list, s)
	}
	order := []string{StorageRead, MemoryCopy, HostToDevice}
	slices.SortFunc(list, func(a, b Summary) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)),
			cmp.Compare(b.Median, a.Median),
			cmp.Compare(a.Method, b.Method), cmp.Compare(a.Threads, b.Threads), cmp.Compare(a.IOBytes, b.IOBytes))
	})
	return list
}
