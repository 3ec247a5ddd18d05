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
	if p.Outliers > 0 {
		list = append(list, fmt.Sprintf("%d of %d are outliers (none is left out)", p.Outliers, p.Before.N+p.After.N))
	}
	return list
}

// GroupTitle is a pair's group in few words: its model and benchmark type first,
// and the machine last if there are several.
func GroupTitle(p Pair, pairs []Pair) string {
	var parts []string
	for i, g := range p.Group {
		differs := func(other Pair) bool { return i >= len(other.Group) || other.Group[i] != g }
		// What all pairs share is not worth a line's room, but for the model.
		if g != "" && (slices.ContainsFunc(pairs, differs) || strings.Contains(g, "/") || len(pairs) == 1 && i > 0 && i < 3) {
			parts = append(parts, g)
		}
	}
	if len(parts) > 1 && slices.ContainsFunc(pairs, func(other Pair) bool { return other.Group[0] != p.Group[0] }) {
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
