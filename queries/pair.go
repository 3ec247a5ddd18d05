package queries

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/queries/stats"
)

// Significant says whether there is something to see.
func (p Pair) Significant(confidence float64) bool { return p.AdjustedP < 1-confidence }

// Notes are the warnings, the doubts and the outliers of a pair, each once.
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
	for _, side := range []struct {
		arm   string
		loads ArmLoads
	}{{p.Baseline, p.BeforeLoads}, {p.Arm, p.AfterLoads}} {
		if side.loads.Outliers > 0 {
			outliers = append(outliers, fmt.Sprintf("%d of %d loads of %s", side.loads.Outliers, side.loads.N, side.arm))
		}
	}
	if outliers != nil {
		list = append(list, "outliers, none left out: "+strings.Join(outliers, ", "))
	}
	return list
}

// GroupTitle is what sets a pair's group apart from the others' in few words:
// its model and benchmark type first, and the machine last. If there is one
// group, it is all of it.
func GroupTitle(p Pair, pairs []Pair) string {
	return title(p, func(i int) bool { return !common(pairs, i) || single(pairs) })
}

// CommonTitle is what all groups share, where there are several.
func CommonTitle(pairs []Pair) string {
	if single(pairs) {
		return ""
	}
	return title(pairs[0], func(i int) bool { return common(pairs, i) })
}

// common says whether the i-th part of the group is that of all pairs.
func common(pairs []Pair, i int) bool {
	return !slices.ContainsFunc(pairs, func(other Pair) bool { return i >= len(other.Group) || other.Group[i] != pairs[0].Group[i] })
}

// single says whether there is one group.
func single(pairs []Pair) bool {
	return !slices.ContainsFunc(pairs, func(other Pair) bool { return !slices.Equal(other.Group, pairs[0].Group) })
}

// title joins the parts that are wanted, the machine last.
func title(p Pair, wanted func(i int) bool) string {
	var parts []string
	for i, g := range p.Group {
		if g != "" && wanted(i) {
			parts = append(parts, g)
		}
	}
	if len(parts) > 1 && parts[0] == p.Group[0] && p.machineFirst {
		parts = append(parts[1:], parts[0])
	}
	return strings.Join(parts, ", ")
}

// GeometricMean is of the ratios of an arm's pairs.
type GeometricMean struct {
	Mean float64
	N    int
}

// GeometricMeans are of the ratios of medians of each arm with several pairs.
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
