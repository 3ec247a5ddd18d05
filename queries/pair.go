package queries

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/queries/stats"
)

// Significant reports whether the difference is significant.
func (p Pair) Significant(confidence float64) bool { return p.AdjustedP < 1-confidence }

// Notes returns the warnings, doubts and outliers of a pair, each once.
func (p Pair) Notes() []string {
	list := slices.Clone(p.Warnings)
	for _, doubts := range [][]string{p.Doubts, p.Ratio.Doubts, p.Test.Doubts} {
		for _, d := range doubts {
			if !slices.Contains(list, d) {
				list = append(list, d)
			}
		}
	}
	var outliers []string
	n := 0
	for _, side := range []struct {
		arm   string
		loads ArmLoads
	}{{p.Baseline, p.BeforeLoads}, {p.Arm, p.AfterLoads}} {
		if side.loads.Outliers > 0 {
			outliers = append(outliers, fmt.Sprintf("%d of %d %s loads", side.loads.Outliers, side.loads.N, side.arm))
			n += side.loads.Outliers
		}
	}
	switch {
	case n == 1:
		list = append(list, outliers[0]+" is an outlier (kept)")
	case n > 1:
		list = append(list, strings.Join(outliers, " and ")+" are outliers (kept)")
	}
	return list
}

// GeometricMean is the geometric mean of the ratios of an arm's N pairs.
type GeometricMean struct {
	Mean float64
	N    int
}

// GeometricMeans returns the means of the ratios of medians, for each arm with
// several pairs.
func GeometricMeans(pairs []Pair) map[string]GeometricMean {
	ratios := map[string][]float64{}
	for _, p := range pairs {
		ratios[p.Arm] = append(ratios[p.Arm], p.Ratio.Estimate)
	}
	means := map[string]GeometricMean{}
	for arm, r := range ratios {
		if m, err := stats.GeometricMean(r); err == nil && len(r) > 1 {
			means[arm] = GeometricMean{m, len(r)}
		}
	}
	return means
}
