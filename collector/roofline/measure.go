package roofline

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Plan says what to measure.
type Plan struct {
	Files       []string      `json:"files"`        // to read; empty: don't measure storage
	Settings    []Setting     `json:"settings"`     // to read them with
	Bytes       int64         `json:"bytes"`        // to read in a trial
	Time        time.Duration `json:"time"`         // limit of a trial of reading
	Rounds      int           `json:"rounds"`       // trials of each setting, in turns; 0: one
	CopyThreads int           `json:"copy_threads"` // measure copies on 1, 2, 4 … up to this many threads; 0: don't
	CopyBytes   int64         `json:"copy_bytes"`   // to copy in a trial
	Device      string        `json:"device"`       // GPU, or GPUs, to measure copies to; empty: none
}

// Measure carries a plan out. With an error it returns what it has measured so
// far.
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
	s, err := openStorage(ctx, p.Files, p.Settings)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for range max(1, p.Rounds) {
		for _, setting := range p.Settings {
			m, err := s.read(ctx, setting, p.Bytes, p.Time)
			if err != nil {
				return all, err
			}
			all = append(all, m)
		}
	}
	return all, nil
}

func measureMemory(ctx context.Context, p Plan) (all []Measurement, err error) {
	m, err := openMemory(p.CopyBytes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	for _, threads := range doublings(p.CopyThreads) {
		best, err := bestOf(copyTrials, func() (Measurement, error) { return m.copyAll(ctx, threads) })
		if err != nil {
			return all, err
		}
		all = append(all, best)
	}
	return all, nil
}

// copyTrials is the number of trials of a copy. The first warms the translations
// of pages, or wakes the link, and other programs may disturb the others.
const copyTrials = 4

// bestOf returns the fastest of n trials.
func bestOf(n int, trial func() (Measurement, error)) (best Measurement, err error) {
	for range n {
		m, err := trial()
		if err != nil {
			return Measurement{}, err
		}
		if m.BytesPerS() > best.BytesPerS() {
			best = m
		}
	}
	return best, nil
}

// doublings returns 1, 2, 4 … below n, and n.
func doublings(n int) []int {
	var list []int
	for i := 1; i < n; i *= 2 {
		list = append(list, i)
	}
	return slices.Compact(append(list, n))
}
