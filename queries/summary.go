// Package queries answers questions about a warehouse. Each question is a file of
// SQL under sql/. The functions choose the loads that it sees and return its rows
// as structs, or statistics over them: Summary, Contrast, Check and Trend.
package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"

	"github.com/sllmq/sllmq/warehouse/record"
)

//go:embed sql/summary.sql
var summarySQL string

// SummaryRow summarizes the loading times of one arm. Times are seconds over
// counted loads; nil if no load counts, or only one for SampleStdS.
type SummaryRow struct {
	record.Arm
	Loads            int64    `db:"loads"` // counted
	Failed           int64    `db:"failed"`
	Warmups          int64    `db:"warmups"`
	NumReplicas      int64    `db:"num_replicas"`
	MeanS            *float64 `db:"mean_s"`
	MedianS          *float64 `db:"median_s"`
	MinS             *float64 `db:"min_s"`
	MaxS             *float64 `db:"max_s"`
	SampleStdS       *float64 `db:"sample_std_s"`
	PopulationStdS   *float64 `db:"population_std_s"`
	MedianBytesPerS  *float64 `db:"median_bytes_per_s"`
	MeanTokensPerS   *float64 `db:"mean_tokens_per_s"`
	Bound            string   `db:"bound"` // empty: unknown
	MedianEfficiency *float64 `db:"median_efficiency"`
	NotFromStorage   int64    `db:"not_from_storage"` // random loads that were not cold
	OverRoofline     int64    `db:"over_roofline"`    // loads with an efficiency over 1
	SourceTiers      string   `db:"source_tiers"`     // storage, or storage 28, page_cache 2
}

// Warnings returns reasons to doubt the row.
func (r SummaryRow) Warnings() (list []string) {
	if r.NotFromStorage > 0 {
		list = append(list, fmt.Sprintf("%d of %d random loads did not come from storage alone: not cold", r.NotFromStorage, r.Loads))
	}
	if r.OverRoofline > 0 {
		list = append(list, fmt.Sprintf("%d of %d loads exceeded the roofline: measure again, or the data was cached", r.OverRoofline, r.Loads))
	}
	return list
}

// Summary answers sql/summary.sql for the loads that f chooses.
func Summary(ctx context.Context, db *sql.DB, f Filter) ([]SummaryRow, error) {
	return narrowed[SummaryRow](ctx, db, "summarize", summarySQL, f)
}

// Comparison is one safetensors row beside one sllm row of the same model,
// benchmark type, device, engine and machine.
type Comparison struct {
	SafeTensors, SLLM SummaryRow
}

// SpeedupOfMeans is the reference benchmark's speedup; over 1, sllm is faster.
func (c Comparison) SpeedupOfMeans() float64 { return *c.SafeTensors.MeanS / *c.SLLM.MeanS }

// SpeedupOfMedians is the same for medians.
func (c Comparison) SpeedupOfMedians() float64 { return *c.SafeTensors.MedianS / *c.SLLM.MedianS }

// Compare pairs the rows of a summary that have counted loads, every loader of
// one format with every loader of the other. It leaves out raw, which nobody
// serves with.
func Compare(rows []SummaryRow) []Comparison {
	var pairs []Comparison
	for _, a := range rows {
		for _, b := range rows {
			same := b.Arm
			same.Format, same.Loader = a.Format, a.Loader
			if a.Format == "safetensors" && b.Format == "sllm" && a.Arm == same && a.Loads > 0 && b.Loads > 0 && a.Loader != "raw" && b.Loader != "raw" {
				pairs = append(pairs, Comparison{SafeTensors: a, SLLM: b})
			}
		}
	}
	return pairs
}

// SummarySQL returns the statement of Summary and its arguments, for callers
// that pass its rows on as they are.
func SummarySQL(f Filter) (statement string, arguments []any) { return f.narrow(summarySQL) }
