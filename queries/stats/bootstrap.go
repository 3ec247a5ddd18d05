package stats

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Ratio is the median after over the median before; over 1, it takes longer.
type Ratio struct {
	Before, After float64 // medians; of the sessions' medians if there are several sessions
	Estimate      float64
	Interval      Interval // its confidence is nominal
	Doubts        []string
}

// ratioOfMedians returns the ratio of two medians with a percentile bootstrap
// interval (Efron, "Bootstrap methods: another look at the jackknife", 1979). BCa
// would need the jackknife's variance, which is wrong for a median however large
// the sample (Efron, "The Jackknife, the Bootstrap and Other Resampling Plans",
// 1982).
//
// Each arm is a list of sessions. If there are several, it resamples sessions
// first and then the loads of each, since loads of one session share their luck
// (Kalibera and Jones, "Rigorous benchmarking in reasonable time", 2013). With
// very many sessions only session medians are resampled; their spread already
// includes the noise of loads (Davison and Hinkley, "Bootstrap Methods and their
// Application", 1997, 3.8). With fewer than MedianNeed units per arm the interval
// may cover less than its confidence, which is a doubt; with one it is unknown.
// It draws at most most resamples.
func ratioOfMedians(ctx context.Context, before, after [][]float64, confidence float64, seed uint64, most int) (Ratio, error) {
	need, err := MedianNeed(confidence)
	if err != nil {
		return Ratio{}, err
	}
	if len(before) == 0 || len(after) == 0 {
		return Ratio{}, ErrEmpty
	}
	if err := positive(slices.Concat(before, after)...); err != nil {
		return Ratio{}, err
	}
	a, b := newArm(before), newArm(after)
	ratio := Ratio{Before: a.median(), After: b.median()}
	ratio.Estimate = ratio.After / ratio.Before
	if a.units() < need || b.units() < need {
		ratio.Doubts = append(ratio.Doubts, fmt.Sprintf("a %s interval needs ≥ %d %s per arm", percent(confidence), need, a.unit()))
	}
	if a.units() < 2 || b.units() < 2 {
		ratio.Interval = Interval{Lo: 0, Hi: math.Inf(1), Confidence: 1}
		return ratio, nil
	}
	random := rand.New(rand.NewPCG(seed, 0))
	draws := make([]float64, min(most, max(fewestDraws, mostMedians/(a.medianDraws()+b.medianDraws()))))
	for i := range draws {
		if err := ctx.Err(); err != nil {
			return Ratio{}, err
		}
		draws[i] = b.draw(random) / a.draw(random)
	}
	slices.Sort(draws)
	// n draws divide the line into n+1 parts.
	cut := max(1, int((1-confidence)/2*float64(len(draws)+1)))
	ratio.Interval = Interval{Lo: draws[cut-1], Hi: draws[len(draws)-cut], Confidence: confidence}
	return ratio, nil
}

// How often a ratio is resampled: mostDraws times, but fewer, down to
// fewestDraws, if that would take more than mostMedians medians. With more than
// manySessions, only their medians are resampled.
const (
	mostDraws    = 9999
	fewestDraws  = 999
	mostMedians  = 1_500_000
	manySessions = 500
)

// arm is one side of a comparison, each session sorted.
type arm struct {
	sessions [][]float64
	own      []float64 // the sessions' medians, sorted
	medians  []float64 // of a resample's sessions
}

func newArm(sessions [][]float64) arm {
	a := arm{medians: make([]float64, len(sessions))}
	for _, xs := range sessions {
		xs = sorted(xs)
		a.sessions, a.own = append(a.sessions, xs), append(a.own, middle(xs))
	}
	slices.Sort(a.own)
	return a
}

// units is the number of units that are resampled first.
func (a arm) units() int {
	if len(a.sessions) > 1 {
		return len(a.sessions)
	}
	return len(a.sessions[0])
}

func (a arm) unit() string {
	if len(a.sessions) > 1 {
		return "sessions"
	}
	return "loads"
}

func (a arm) median() float64 { return middle(a.own) }

// draw returns the median of one resample.
func (a arm) draw(random *rand.Rand) float64 {
	if len(a.sessions) == 1 {
		return drawMedian(a.sessions[0], random)
	}
	if len(a.sessions) > manySessions {
		return drawMedian(a.own, random)
	}
	for i := range a.medians {
		a.medians[i] = drawMedian(a.sessions[random.IntN(len(a.sessions))], random)
	}
	slices.Sort(a.medians)
	return middle(a.medians)
}

// medianDraws is how many medians one resample needs.
func (a arm) medianDraws() int {
	if len(a.sessions) > manySessions {
		return 1
	}
	return len(a.sessions)
}

// drawMedian returns the median of len(sorted) values drawn from sorted with
// replacement. It does not draw them one by one: the ranks of the middle values
// are uniform order statistics, which are ratios of gamma variates (Rényi, "On
// the theory of order statistics", 1953). So its cost does not depend on the
// size of the sample.
func drawMedian(sorted []float64, random *rand.Rand) float64 {
	n := len(sorted)
	at := func(u float64) float64 { return sorted[min(int(u*float64(n)), n-1)] }
	if n%2 == 1 {
		under, over := gamma(n/2+1, random), gamma(n/2+1, random)
		return at(under / (under + over))
	}
	under, gap, over := gamma(n/2, random), random.ExpFloat64(), gamma(n/2, random)
	sum := under + gap + over
	return between(at(under/sum), at((under+gap)/sum))
}

// gamma draws a gamma variate with a shape of at least 1 (Marsaglia and Tsang, "A
// simple method for generating gamma variables", 2000).
func gamma(shape int, random *rand.Rand) float64 {
	d := float64(shape) - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := random.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if u := 1 - random.Float64(); math.Log(u) < x*x/2+d*(1-v+math.Log(v)) {
			return d * v
		}
	}
}
