package stats

import (
	_ "embed"
	"encoding/csv"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Dip is how far a sample is from having one mode.
type Dip struct {
	D float64 // the greatest distance to the nearest distribution with one mode
	P float64 // of a D so great if the values came from one mode
}

// DipTest tests whether the values come from a distribution with one mode
// (Hartigan and Hartigan, "The dip test of unimodality", 1985). P is against
// the uniform distribution, the hardest to tell of all with one mode, read
// between the simulated values of dip_null.csv, which end at 0.0005. Equal
// values count as modes of their own, so a clock that ticks coarsely looks like
// many. D is never under 1/2n; there, under 4 values and if all are equal, P is 1.
func DipTest(xs []float64) (Dip, error) {
	if err := finite(xs); err != nil {
		return Dip{}, err
	}
	steps := newSteps(xs)
	d := steps.dip()
	if len(xs) < 4 || len(steps) == 1 || d*float64(2*len(xs)) < 1+1e-9 {
		return Dip{D: d, P: 1}, nil
	}
	return Dip{D: d, P: dipP(d, len(xs))}, nil
}

// step is a jump of the empirical distribution function, counted in values.
type step struct{ at, lo, hi float64 }

type steps []step

func newSteps(xs []float64) steps {
	var all steps
	for i, x := range unit(sorted(xs)) {
		if len(all) == 0 || all[len(all)-1].at != x {
			all = append(all, step{at: x, lo: float64(i)})
		}
		all[len(all)-1].hi = float64(i + 1)
	}
	return all
}

// dip narrows the interval that may hold the mode. In each round the
// distribution function is held between its greatest convex minorant and its
// least concave majorant; where these are furthest apart the mode must be, and
// what the function departs from the one on its left, and from the other on its
// right, the dip is at least.
func (s steps) dip() float64 {
	n := s[len(s)-1].hi
	dip := 1.0 // twice the distance, in values: never under half a value
	from, to := 0, len(s)-1
	for from < to {
		convex := s.hull(from, to, func(p step) float64 { return p.lo })
		concave := s.hull(from, to, func(p step) float64 { return -p.hi })
		apart, left, right := 0.0, from, to
		for _, k := range convex.corners {
			if d := -concave.at(s[k].at) - s[k].lo; d > apart {
				i, _ := slices.BinarySearch(concave.corners, k)
				apart, left, right = d, k, concave.corners[i]
			}
		}
		for _, k := range concave.corners {
			if d := s[k].hi - convex.at(s[k].at); d > apart {
				i, found := slices.BinarySearch(convex.corners, k)
				if !found {
					i--
				}
				apart, left, right = d, convex.corners[i], k
			}
		}
		if apart <= dip {
			break
		}
		// A jump at the mode itself is no departure.
		for k := from; k < left; k++ {
			dip = max(dip, s[k].hi-convex.at(s[k].at))
		}
		for k := right + 1; k <= to; k++ {
			dip = max(dip, -concave.at(s[k].at)-s[k].lo)
		}
		if left == from && right == to {
			break
		}
		from, to = left, right
	}
	return dip / (2 * n)
}

// hull is the lower convex hull of points, asked for from left to right.
type hull struct {
	s       steps
	height  func(step) float64
	corners []int // indices into s, ascending
}

func (s steps) hull(from, to int, height func(step) float64) hull {
	h := hull{s: s, height: height}
	for k := from; k <= to; k++ {
		for len(h.corners) >= 2 {
			a, b := s[h.corners[len(h.corners)-2]], s[h.corners[len(h.corners)-1]]
			// b stays only if the slope grows at it.
			if (height(b)-height(a))*(s[k].at-b.at) < (height(s[k])-height(b))*(b.at-a.at) {
				break
			}
			h.corners = h.corners[:len(h.corners)-1]
		}
		h.corners = append(h.corners, k)
	}
	return h
}

// at is the hull's height at x, between its first and its last corner.
func (h hull) at(x float64) float64 {
	i, found := slices.BinarySearchFunc(h.corners, x, func(k int, x float64) int {
		switch at := h.s[k].at; {
		case at < x:
			return -1
		case at > x:
			return 1
		}
		return 0
	})
	if found {
		return h.height(h.s[h.corners[i]])
	}
	a, b := h.s[h.corners[i-1]], h.s[h.corners[i]]
	part := (x - a.at) / (b.at - a.at)
	return h.height(a) + part*(h.height(b)-h.height(a))
}

// dipNull has in its first line probabilities, and in each other one a number
// of values n and how great sqrt(n) D was at most with these probabilities.
// scripts/fixtures/make_stats.py makes it.
//
//go:embed dip_null.csv
var dipNull string

// dipP reads p between the lines and columns of dipNull. Beyond its last line
// sqrt(n) D changes no more.
func dipP(d float64, n int) float64 {
	rows, err := csv.NewReader(strings.NewReader(dipNull)).ReadAll()
	if err != nil {
		panic(err) // the file is ours
	}
	table := make([][]float64, len(rows))
	for i, row := range rows {
		for _, field := range row {
			v, err := strconv.ParseFloat(field, 64)
			if err != nil {
				panic(err)
			}
			table[i] = append(table[i], v)
		}
	}
	probabilities, table := table[0], table[1:]
	next := 1
	for next < len(table)-1 && table[next][0] < float64(n) {
		next++
	}
	a, b := table[next-1], table[next]
	part := min(1, (float64(n)-a[0])/(b[0]-a[0]))
	scaled := math.Sqrt(float64(n)) * d
	under, last := 0.0, 0.0
	for i := 1; i < len(probabilities); i++ {
		v := a[i] + part*(b[i]-a[i])
		if scaled < v {
			if i == 1 {
				return 1
			}
			return 1 - (under + (scaled-last)/(v-last)*(probabilities[i]-under))
		}
		under, last = probabilities[i], v
	}
	return 1 - under
}
