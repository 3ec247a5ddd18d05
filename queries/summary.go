// Package queries asks the warehouse. Each question is a file of SQL under
// sql/; the functions here choose its loads and read its columns.
package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
)

//go:embed sql/summary.sql
var summarySQL string

// SummaryRow is the loading times of one model, benchmark type, format,
// loader, device, engine and machine. Times are seconds, nil where no load is
// counted (or, for the sample's standard deviation, only one).
type SummaryRow struct {
	Model, BenchmarkType, Format, Loader, Device, Engine, Machine string
	Loads, Failed, Warmups, NumReplicas                           int64
	MeanS, MedianS, MinS, MaxS, SampleStdS, PopulationStdS        *float64
	MedianBytesPerS, MeanTokensPerS                               *float64
	Bound                                                         string // "" where nothing is known
	MedianEfficiency                                              *float64
	NotFromStorage, OverRoofline                                  int64  // loads that are not what they are said to be
	SourceTiers                                                   string // "storage", or "storage 28, page_cache 2"
}

// Warnings are what should be known before the row is believed.
func (r SummaryRow) Warnings() (list []string) {
	if r.NotFromStorage > 0 {
		list = append(list, fmt.Sprintf("%d of %d random loads did not come from storage alone: not cold", r.NotFromStorage, r.Loads))
	}
	if r.OverRoofline > 0 {
		list = append(list, fmt.Sprintf("%d of %d loads beat the roofline: measure it again, or the bytes came from nearer than they are said to", r.OverRoofline, r.Loads))
	}
	return list
}

// Summary answers sql/summary.sql for the loads that f chooses.
func Summary(ctx context.Context, db *sql.DB, f Filter) ([]SummaryRow, error) {
	return all(ctx, db, "summarise", func(rows *sql.Rows, r *SummaryRow) error {
		return rows.Scan(&r.Model, &r.BenchmarkType, &r.Format, &r.Loader, &r.Device, &r.Engine, &r.Machine,
			&r.Loads, &r.Failed, &r.Warmups, &r.NumReplicas, &r.MeanS, &r.MedianS, &r.MinS, &r.MaxS, &r.SampleStdS, &r.PopulationStdS,
			&r.MedianBytesPerS, &r.MeanTokensPerS, &r.Bound, &r.MedianEfficiency, &r.NotFromStorage, &r.OverRoofline, &r.SourceTiers)
	}, f.over(summarySQL))
}

// Comparison is one safetensors row beside one sllm row of the same model,
// benchmark type, device, engine and machine.
type Comparison struct {
	SafeTensors, SLLM SummaryRow
}

// SpeedupOfMeans is the reference benchmark's speedup: over 1, sllm is faster.
func (c Comparison) SpeedupOfMeans() float64 { return *c.SafeTensors.MeanS / *c.SLLM.MeanS }

// SpeedupOfMedians is the same of the medians.
func (c Comparison) SpeedupOfMedians() float64 { return *c.SafeTensors.MedianS / *c.SLLM.MedianS }

// Compare pairs the rows of a summary that have counted loads, every loader of
// the one format with every loader of the other; raw, which is no loader that
// anyone serves with, is left out.
func Compare(rows []SummaryRow) []Comparison {
	var pairs []Comparison
	for _, a := range rows {
		for _, b := range rows {
			if a.Format == "safetensors" && b.Format == "sllm" && a.Loads > 0 && b.Loads > 0 && a.Loader != "raw" && b.Loader != "raw" &&
				a.Model == b.Model && a.BenchmarkType == b.BenchmarkType && a.Device == b.Device && a.Engine == b.Engine && a.Machine == b.Machine {
				pairs = append(pairs, Comparison{SafeTensors: a, SLLM: b})
			}
		}
	}
	return pairs
}

// SummarySQL is the statement of Summary, for whoever wants the rows as they are.
func SummarySQL(f Filter) string { return f.over(summarySQL) }

// FormatName is a format as people write it.
func FormatName(format string) string {
	switch format {
	case "sllm":
		return "SLLM"
	case "safetensors":
		return "SafeTensors"
	}
	return format
}
