package render

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/stats"
)

// pairRow is a pair as programs read it. Intervals are null where the sample
// is too small for any.
type pairRow struct {
	By               string   `json:"by"`
	Group            []string `json:"group"`
	Baseline         string   `json:"baseline"`
	Arm              string   `json:"arm"`
	Unit             string   `json:"unit"`
	Confidence       float64  `json:"confidence"`
	BaselineN        int      `json:"baseline_n"`
	ArmN             int      `json:"arm_n"`
	BaselineLoads    int      `json:"baseline_loads"`
	ArmLoads         int      `json:"arm_loads"`
	BaselineFailed   int      `json:"baseline_failed"`
	ArmFailed        int      `json:"arm_failed"`
	BaselineOutliers int      `json:"baseline_outliers"`
	ArmOutliers      int      `json:"arm_outliers"`
	BaselineMedianS  float64  `json:"baseline_median_s"`
	BaselineLowS     *float64 `json:"baseline_low_s"`
	BaselineHighS    *float64 `json:"baseline_high_s"`
	ArmMedianS       float64  `json:"arm_median_s"`
	ArmLowS          *float64 `json:"arm_low_s"`
	ArmHighS         *float64 `json:"arm_high_s"`
	BaselineMeanS    float64  `json:"baseline_mean_s"`
	ArmMeanS         float64  `json:"arm_mean_s"`
	Ratio            float64  `json:"ratio_of_medians"`
	RatioLow         *float64 `json:"ratio_low"`
	RatioHigh        *float64 `json:"ratio_high"`
	RatioOfMeans     float64  `json:"ratio_of_means"`
	ShiftS           float64  `json:"hodges_lehmann_shift_s"`
	ShiftLowS        *float64 `json:"hodges_lehmann_low_s"`
	ShiftHighS       *float64 `json:"hodges_lehmann_high_s"`
	ShiftFactor      float64  `json:"hodges_lehmann_factor"`
	FactorLow        *float64 `json:"hodges_lehmann_factor_low"`
	FactorHigh       *float64 `json:"hodges_lehmann_factor_high"`
	U                float64  `json:"mann_whitney_u"`
	P                float64  `json:"p"`
	AdjustedP        float64  `json:"p_holm"`
	Significant      bool     `json:"significant"`
	Need             int      `json:"need"`
	Notes            []string `json:"notes"`
}

func newPairRow(c queries.Contrast, p queries.Pair) pairRow {
	r := pairRow{By: c.By, Group: p.Shared.Values(), Baseline: p.Baseline, Arm: p.Arm, Unit: p.Unit, Confidence: c.Confidence,
		BaselineN: p.Before.N, ArmN: p.After.N,
		BaselineLoads: p.BeforeLoads.N, ArmLoads: p.AfterLoads.N, BaselineFailed: p.BeforeLoads.Failed, ArmFailed: p.AfterLoads.Failed,
		BaselineOutliers: p.BeforeLoads.Outliers, ArmOutliers: p.AfterLoads.Outliers,
		BaselineMedianS: p.Before.Median, ArmMedianS: p.After.Median, BaselineMeanS: p.BeforeLoads.MeanS, ArmMeanS: p.AfterLoads.MeanS,
		Ratio: p.Ratio.Estimate, RatioOfMeans: p.MeanRatio, ShiftS: p.Shift.Estimate, ShiftFactor: p.Factor.Estimate,
		U: p.Test.U, P: p.Test.P, AdjustedP: p.AdjustedP, Significant: p.Significant(c.Confidence), Need: p.Need, Notes: append([]string{}, p.Notes()...)}
	ends := func(i stats.Interval) (*float64, *float64) {
		if !i.Known() {
			return nil, nil
		}
		return finite(i.Lo), finite(i.Hi)
	}
	r.BaselineLowS, r.BaselineHighS = ends(p.Before.Interval)
	r.ArmLowS, r.ArmHighS = ends(p.After.Interval)
	r.RatioLow, r.RatioHigh = ends(p.Ratio.Interval)
	r.ShiftLowS, r.ShiftHighS = ends(p.Shift.Interval)
	r.FactorLow, r.FactorHigh = ends(p.Factor.Interval)
	return r
}

// taggedPair and meanRow are the rows of a comparison. Row tells them apart, so
// that nobody takes a mean over pairs for one more pair.
type taggedPair struct {
	Row string `json:"row"` // pair
	pairRow
}

// meanRow is the geometric mean of an arm's ratios. It shares names of fields
// with pairs.
type meanRow struct {
	Row      string  `json:"row"` // geometric_mean
	By       string  `json:"by"`
	Baseline string  `json:"baseline"`
	Arm      string  `json:"arm"`
	Ratio    float64 `json:"ratio_of_medians"`
	Pairs    int     `json:"pairs"` // that it is the mean of
}

// comparedRows are the pairs, and then the means of the arms that have several.
func comparedRows(c queries.Contrast, pairs []queries.Pair) []any {
	rows := []any{}
	for _, p := range pairs {
		rows = append(rows, taggedPair{"pair", newPairRow(c, p)})
	}
	means := queries.GeometricMeans(pairs)
	for _, arm := range slices.Sorted(maps.Keys(means)) {
		rows = append(rows, meanRow{"geometric_mean", c.By, pairs[0].Baseline, arm, means[arm].Mean, means[arm].N})
	}
	return rows
}

// writePairsCSV writes the rows' fields under their names in JSON. Fields that a
// row lacks are empty.
func writePairsCSV(out io.Writer, c queries.Contrast, pairs []queries.Pair) error {
	var names []string
	var table []map[string]string
	for _, row := range append([]any{taggedPair{}, meanRow{}}, comparedRows(c, pairs)...) {
		cells := map[string]string{}
		for _, field := range reflect.VisibleFields(reflect.TypeOf(row)) {
			name := field.Tag.Get("json")
			if field.Anonymous {
				continue
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			cells[name] = cell(reflect.ValueOf(row).FieldByIndex(field.Index).Interface())
		}
		table = append(table, cells)
	}
	w := csv.NewWriter(out)
	lines := [][]string{names}
	for _, cells := range table[2:] {
		var line []string
		for _, name := range names {
			line = append(line, cells[name])
		}
		lines = append(lines, line)
	}
	return w.WriteAll(lines)
}

func cell(value any) string {
	switch v := value.(type) {
	case []string:
		return strings.Join(v, "; ")
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case *float64:
		if v == nil {
			return ""
		}
		return cell(*v)
	}
	return fmt.Sprint(value)
}
