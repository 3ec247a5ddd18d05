package roofline

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Plan is what to measure.
type Plan struct {
	Files       []string      `json:"files"`        // to read from; none: the storage is left out
	Settings    []Setting     `json:"settings"`     // to read them with
	Bytes       int64         `json:"bytes"`        // of a trial of reading
	Time        time.Duration `json:"time"`         // of a trial of reading, at most
	Rounds      int           `json:"rounds"`       // trials of each setting, taking turns; 0: one
	CopyThreads int           `json:"copy_threads"` // copies are measured on 1, 2, 4 … and as many threads; 0: left out
	CopyBytes   int64         `json:"copy_bytes"`
	Device      string        `json:"device"` // a GPU, or several, to which copies are measured too; empty: none
}

// Measure carries a plan out.
func Measure(ctx context.Context, p Plan) (all []Measurement, err error) {
	if len(p.Files) > 0 {
		if all, err = measureStorage(ctx, p); err != nil {
			return all, err
		}
	}
	if p.CopyThreads > 0 {
		copies, err := measureMemory(ctx, p)
		if all = append(all, copies...); err != nil {
			return all, err
		}
	}
	if p.Device != "" {
		copies, err := measureLink(ctx, p.Device, p.CopyBytes)
		return append(all, copies...), err
	}
	return all, nil
}

func measureStorage(ctx context.Context, p Plan) (all []Measurement, err error) {
	s, err := OpenStorage(p.Files, p.Settings)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for range max(1, p.Rounds) {
		for _, setting := range p.Settings {
			m, err := s.Read(ctx, setting, p.Bytes, p.Time)
			if err != nil {
				return all, err
			}
			all = append(all, m)
		}
	}
	return all, nil
}

func measureMemory(ctx context.Context, p Plan) (all []Measurement, err error) {
	memory, err := OpenMemory(p.CopyBytes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, memory.Close()) }()
	for _, threads := range doublings(p.CopyThreads) {
		// The first brings the pages' translations, and others may be at work.
		var best Measurement
		for range 4 {
			m, err := memory.Copy(ctx, threads)
			if err != nil {
				return all, err
			}
			if m.BytesPerS() > best.BytesPerS() {
				best = m
			}
		}
		all = append(all, best)
	}
	return all, nil
}

// doublings are 1, 2, 4 … below n, and n.
func doublings(n int) []int {
	var list []int
	for i := 1; i < n; i *= 2 {
		list = append(list, i)
	}
	return slices.Compact(append(list, n))
}
