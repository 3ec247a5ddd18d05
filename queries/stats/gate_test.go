package stats

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestGate(t *testing.T) {
	inf := math.Inf(1)
	at95 := func(lo, hi float64) Interval { return Interval{Lo: lo, Hi: hi, Confidence: 0.95} }
	for _, c := range []struct {
		name     string
		gate     Gate
		evidence Evidence
		want     Verdict
		reason   string
	}{
		{"clearly slower", Gate{0.05, 0.05, 0}, Evidence{1.2, at95(1.15, 1.25), 0.001}, Regression, "20.0 % slower (p 0.001); limit +5.0 %"},
		{"clearly the same", Gate{0.05, 0.05, 0}, Evidence{1.01, at95(0.99, 1.03), 0.4}, NoRegression, "at most 3.0 % slower; limit +5.0 %"},
		{"faster", Gate{0.05, 0.05, 0}, Evidence{0.5, at95(0.4, 0.6), 1e-6}, NoRegression, "at least 40.0 % faster; limit +5.0 %"},
		{"significantly slower, and allowed", Gate{0.05, 0.05, 0}, Evidence{1.02, at95(1.01, 1.03), 0.001}, NoRegression, ""},
		{"slower by chance", Gate{0.05, 0.05, 0}, Evidence{1.2, at95(0.9, 1.4), 0.3}, Inconclusive, "20.0 % slower, which may be chance (p 0.3); limit +5.0 %"},
		{"not told", Gate{0.05, 0.05, 0}, Evidence{1.01, at95(0.9, 1.15), 0.8}, Inconclusive, "may be up to 15.0 % slower"},
		{"too few", Gate{0.05, 0.05, 0}, Evidence{1.5, Interval{0, inf, 1}, 0.1}, Inconclusive, "too few loads"},
		{"under the noise", Gate{0.05, 0.05, 0.3}, Evidence{1.2, at95(1.15, 1.25), 0.001}, NoRegression, "limit +30.0 % (noise floor)"},
		{"over the noise", Gate{0.05, 0.05, 0.1}, Evidence{1.2, at95(1.15, 1.25), 0.001}, Regression, "20.0 % slower (p 0.001); limit +10.0 % (noise floor)"},
		{"corrected away", Gate{0.05, 0.05, 0}, Evidence{1.2, at95(1.1, 1.25), 0.06}, Inconclusive, "may be chance"},
		{"test and interval apart", Gate{0.05, 0.05, 0}, Evidence{1.2, at95(0.95, 1.25), 0.01}, Inconclusive, ""},
		{"interval too narrow", Gate{0.05, 0.01, 0}, Evidence{1, at95(0.99, 1.01), 1}, Inconclusive, "the interval covers 95 %, not 99 %"},
		{"on the limit", Gate{0.05, 0.05, 0}, Evidence{1.05, at95(1.05, 1.05), 0.001}, NoRegression, ""},
		{"equal", Gate{0, 0.05, 0}, Evidence{1, at95(1, 1), 1}, NoRegression, ""},
	} {
		got, err := c.gate.Decide(c.evidence)
		if err != nil || got.Verdict != c.want || !strings.Contains(got.Reason, c.reason) || got.Reason == "" {
			t.Errorf("%s: %v (%s), %v; want %v (%s)", c.name, got.Verdict, got.Reason, err, c.want, c.reason)
		}
	}
	nan := math.NaN()
	fine := Evidence{1, at95(1, 1), 1}
	for i, bad := range []struct {
		gate     Gate
		evidence Evidence
	}{
		{Gate{-0.1, 0.05, 0}, fine}, {Gate{nan, 0.05, 0}, fine}, {Gate{0, 0.05, inf}, fine},
		{Gate{0, 0.05, 0}, Evidence{nan, at95(1, 1), 1}}, {Gate{0, 0.05, 0}, Evidence{0, at95(1, 1), 1}},
		{Gate{0, 0.05, 0}, Evidence{1, at95(nan, 1), 1}}, {Gate{0, 0.05, 0}, Evidence{1, at95(2, 1), 1}}, {Gate{0, 0.05, 0}, Evidence{1, at95(1, 1), nan}},
	} {
		if got, err := bad.gate.Decide(bad.evidence); err == nil {
			t.Errorf("%d: %+v", i, got)
		}
	}
	for verdict, want := range map[Verdict]string{Inconclusive: "inconclusive", NoRegression: "no regression", Regression: "regression"} {
		if verdict.String() != want {
			t.Error(verdict.String(), want)
		}
	}
}

func TestNoiseFloor(t *testing.T) {
	var pairs [][2]float64
	for i := range 39 { // 1 % to 39 %, every other one the other way round
		pair := [2]float64{1, 1 + float64(i+1)/100}
		if i%2 == 0 {
			pair[0], pair[1] = pair[1], pair[0]
		}
		pairs = append(pairs, pair)
	}
	noise := must[Noise](t)(NoiseFloor(pairs, 0.95)) // the 38th of 39
	near(t, "floor", noise.Floor, 0.38)
	near(t, "confidence", noise.Confidence, 0.95)
	if noise.Pairs != 39 || noise.Doubts != nil {
		t.Errorf("%+v", noise)
	}
	nineteen := must[Noise](t)(NoiseFloor(pairs[:19], 0.95))
	near(t, "floor of 19", nineteen.Floor, 0.19)
	if nineteen.Doubts != nil {
		t.Errorf("%+v", nineteen)
	}
	few := must[Noise](t)(NoiseFloor(pairs[:4], 0.95))
	near(t, "floor of 4", few.Floor, 0.04)
	near(t, "confidence of 4", few.Confidence, 0.8)
	if len(few.Doubts) != 1 || few.Doubts[0] != "a 95 % noise floor needs ≥ 19 pairs" {
		t.Errorf("%+v", few)
	}
	if same := must[Noise](t)(NoiseFloor([][2]float64{{3, 3}}, 0.95)); same.Floor != 0 || same.Confidence != 0.5 {
		t.Errorf("%+v", same)
	}
	for want, bad := range map[error][][2]float64{ErrEmpty: nil, ErrNotPositive: {{1, 0}}, ErrNotFinite: {{1, math.NaN()}}} {
		if _, err := NoiseFloor(bad, 0.95); !errors.Is(err, want) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// The quantiles of Student's t are scipy.stats.t.ppf(0.995, n).
func TestSureFloorOfFewPairs(t *testing.T) {
	for n, quantile := range map[int]float64{1: 63.65674116287399, 2: 9.92484320091807, 5: 4.032142983557536, 30: 2.7499956535672255} {
		pairs := make([][2]float64, n)
		for i := range pairs {
			pairs[i] = [2]float64{1, math.Exp(0.02)}
			if i%2 == 0 {
				pairs[i] = [2]float64{pairs[i][1], 1}
			}
		}
		noise := must[Noise](t)(SureFloor(pairs, 0.99))
		near(t, "floor", noise.Floor, math.Expm1(0.02*quantile))
		if noise.Pairs != n || noise.Confidence != 0.99 || len(noise.Doubts) != 1 {
			t.Errorf("%+v", noise)
		}
	}
	var many [][2]float64
	for i := range 99 {
		many = append(many, [2]float64{1, 1 + float64(i+1)/100})
	}
	noise := must[Noise](t)(SureFloor(many, 0.99))
	near(t, "floor of 99", noise.Floor, 0.99)
	if noise.Doubts != nil {
		t.Errorf("%+v", noise)
	}
	far := append(make([][2]float64, 0), [2]float64{1, 4})
	for range 50 {
		far = append(far, [2]float64{1, 1})
	}
	near(t, "the greatest seen", must[Noise](t)(SureFloor(far, 0.99)).Floor, 3)
	if _, err := SureFloor(nil, 0.99); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
}

func TestCompareSaysWhatItsUnitIs(t *testing.T) {
	session := func(at float64) []float64 { return []float64{at, at * 1.01, at * 0.99} }
	several := [][]float64{session(1), session(1.1), session(0.9), session(1.05)}
	slow := [][]float64{session(2), session(2.1), session(1.9), session(2.05)}
	c := must[Comparison](t)(Compare(t.Context(), several, slow, CompareOptions{Confidence: 0.95, Seed: 1}))
	if c.Unit != "session" || c.Before.N != 4 || c.After.N != 4 || c.Doubts != nil {
		t.Errorf("%+v", c)
	}
	near(t, "p", c.Test.P, 2.0/70)
	near(t, "median of medians", c.Before.Median, 1.025)
	near(t, "the same in the ratio", c.Ratio.Before, c.Before.Median)
	if d := must[Decision](t)(Gate{MaxSlowdown: 0.1, Alpha: 0.05}.Decide(c.Evidence())); d.Verdict != Regression {
		t.Errorf("%+v", d)
	}
	one := must[Comparison](t)(Compare(t.Context(), several[:1], slow, CompareOptions{Confidence: 0.95, Seed: 1}))
	if one.Unit != "load" || one.Before.N != 3 || one.After.N != 12 || len(one.Doubts) != 1 {
		t.Errorf("%+v", one)
	}
	three := must[Comparison](t)(Compare(t.Context(), several[:3], slow[:3], CompareOptions{Confidence: 0.95, Seed: 1}))
	if d := must[Decision](t)(Gate{MaxSlowdown: 0.1, Alpha: 0.05}.Decide(three.Evidence())); d.Verdict != Inconclusive {
		t.Errorf("%+v", d)
	}
	if doubts := three.Factor.Doubts; len(doubts) != 1 || doubts[0] != "a 95 % interval of the shift needs ≥ 4 values per arm" {
		t.Error(doubts)
	}
}
