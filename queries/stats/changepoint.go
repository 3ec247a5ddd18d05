package stats

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
)

const (
	// shortestSegment is the least number of values between two change points:
	// one or two odd values are not a change.
	shortestSegment = 3
	// permutations is how often a split is compared with chance. The least p is
	// 1/(permutations+1).
	permutations = 199
	// longestSeries takes some seconds.
	longestSeries = 100_000
)

// ChangePoint is where a series changes.
type ChangePoint struct {
	Index         int // of the first value after the change
	P             float64
	Before, After float64 // medians of the segments on both sides
}

// ChangePoints splits a series where its distribution changes, by E-divisive
// (Matteson and James, "A nonparametric approach for multiple change point
// analysis of multivariate data", 2014, with distances as they are, and each
// segment split to its end): it keeps the best split of all segments by the energy
// statistic while a permutation test finds it significant at alpha, so it splits
// a series that does not change with the probability alpha. Unlike PELT, it needs
// no penalty, and it assumes no distribution. MongoDB's performance tests use it (Daly and others, "The use of change
// point detection to identify software performance regressions in a continuous
// integration system", 2020). With fewer than 8 values nothing is significant at
// 0.05. It stops when ctx ends.
func ChangePoints(ctx context.Context, series []float64, alpha float64, seed uint64) ([]ChangePoint, error) {
	if err := finite(series); err != nil {
		return nil, err
	}
	if err := level("significance", alpha); err != nil {
		return nil, err
	}
	if len(series) > longestSeries {
		return nil, ErrTooMany
	}
	random := rand.New(rand.NewPCG(seed, 0))
	values := unit(series)
	whole, err := newSegment(ctx, values, 0, len(values), random)
	if err != nil {
		return nil, err
	}
	segments := []segment{whole}
	p := map[int]float64{}
	for {
		best := 0
		for i, s := range segments {
			if s.energy > segments[best].energy {
				best = i
			}
		}
		s := segments[best]
		if s.energy == 0 {
			break
		}
		// At least as great as the observed one, except for rounding.
		chance := 1
		for i := range permutations {
			greatest := 0.0
			for _, other := range segments {
				greatest = max(greatest, other.permuted[i])
			}
			if greatest >= s.energy*(1-1e-9) {
				chance++
			}
		}
		if p[s.split] = float64(chance) / (permutations + 1); p[s.split] > alpha {
			break
		}
		left, err := newSegment(ctx, values, s.from, s.split, random)
		if err != nil {
			return nil, err
		}
		right, err := newSegment(ctx, values, s.split, s.to, random)
		if err != nil {
			return nil, err
		}
		segments = slices.Replace(segments, best, best+1, left, right)
	}
	var points []ChangePoint
	for i := 1; i < len(segments); i++ {
		before, after := segments[i-1], segments[i]
		points = append(points, ChangePoint{
			Index: after.from, P: p[after.from],
			Before: Median(series[before.from:before.to]), After: Median(series[after.from:after.to]),
		})
	}
	return points, nil
}

// unit maps a series to the range 0 to 1, so that sums of distances cannot
// overflow.
func unit(series []float64) []float64 {
	lo, hi := slices.Min(series), slices.Max(series)
	values := make([]float64, len(series))
	if lo == hi {
		return values
	}
	for i, x := range series {
		values[i] = min(1, (x/2-lo/2)/(hi/2-lo/2))
	}
	return values
}

// segment is a part of a series with its best split, and the energies of the
// best splits of its permutations.
type segment struct {
	from, to, split int
	energy          float64
	permuted        []float64
}

func newSegment(ctx context.Context, values []float64, from, to int, random *rand.Rand) (segment, error) {
	s := segment{from: from, to: to, permuted: make([]float64, permutations)}
	if to-from < 2*shortestSegment {
		return s, nil
	}
	splitter := newSplitter(values[from:to])
	at, energy := splitter.best()
	s.split, s.energy = from+at, energy
	for i := range s.permuted {
		if err := ctx.Err(); err != nil {
			return segment{}, err
		}
		random.Shuffle(len(splitter.ranks), func(a, b int) {
			splitter.ranks[a], splitter.ranks[b] = splitter.ranks[b], splitter.ranks[a]
		})
		_, s.permuted[i] = splitter.best()
	}
	return s, nil
}

// splitter finds the best split of a segment in O(n log n): the distances of a
// value to all before it come from the number and the sum of the smaller ones,
// kept in a tree of partial sums (Fenwick, "A new data structure for cumulative
// frequency tables", 1994).
type splitter struct {
	ranks  []int     // of the values in their order, from 1
	values []float64 // by rank
	away   []float64 // by rank: the sum of distances to all values
	counts []int
	sums   []float64
}

func newSplitter(segment []float64) *splitter {
	n := len(segment)
	s := &splitter{ranks: make([]int, n), values: make([]float64, n+1), away: make([]float64, n+1), counts: make([]int, n+1), sums: make([]float64, n+1)}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return segment[order[a]] < segment[order[b]] })
	total := 0.0
	for i, at := range order {
		s.ranks[at] = i + 1
		s.values[i+1] = segment[at]
		total += segment[at]
	}
	below := 0.0
	for rank := 1; rank <= n; rank++ {
		v := s.values[rank]
		s.away[rank] = v*float64(rank-1) - below + (total - below - v) - v*float64(n-rank)
		below += v
	}
	return s
}

// best is the split with the greatest energy statistic
//
//	mn/(m+n) (2 mean |x-y| - mean |x-x'| - mean |y-y'|)
//
// over pairs of different values, m of them before the split and n after; the
// split is the number of values before it, and the statistic 0 if none is
// over that.
func (s *splitter) best() (split int, energy float64) {
	clear(s.counts)
	clear(s.sums)
	n := len(s.ranks)
	after := 0.0 // the distances among the values from here on
	for _, away := range s.away[1:] {
		after += away / 2
	}
	all, before, sum := after, 0.0, 0.0
	for i, rank := range s.ranks {
		if i >= shortestSegment && n-i >= shortestSegment {
			m, k := float64(i), float64(n-i)
			across := all - before - after
			e := m * k / (m + k) * (2*across/(m*k) - 2*before/(m*(m-1)) - 2*after/(k*(k-1)))
			if e > energy {
				split, energy = i, e
			}
		}
		v := s.values[rank]
		count, below := 0, 0.0
		for at := rank; at > 0; at &= at - 1 {
			count += s.counts[at]
			below += s.sums[at]
		}
		near := v*float64(count) - below + (sum - below) - v*float64(i-count)
		before += near
		after -= s.away[rank] - near
		sum += v
		for at := rank; at <= n; at += at & -at {
			s.counts[at]++
			s.sums[at] += v
		}
	}
	if energy < 1e-12 { // rounding
		return 0, 0
	}
	return split, math.Max(energy, 0)
}
