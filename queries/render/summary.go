package render

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sllmq/sllmq/internal/text"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Summary writes the reference benchmark's table: for each model and benchmark
// type the loading times of its formats, their speedup, and the inference if
// there is one.
func Summary(w io.Writer, rows []queries.SummaryRow) error {
	out := bufio.NewWriter(w)
	if len(rows) == 0 {
		fmt.Fprintln(out, "no loads")
	}
	for i, block := range queries.Blocks(rows) {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := writeBlock(out, block); err != nil {
			return err
		}
	}
	return out.Flush()
}

func writeBlock(out io.Writer, block queries.Block) error {
	if _, err := fmt.Fprintln(out, text.Printable(block.Model+", "+block.Conditions())); err != nil {
		return err
	}
	t := Table{Indent: 2, Gap: 1, Columns: []Column{
		{Title: "Format", Width: 11}, {Title: "Loader", Width: 13}, {Title: "Loads", Right: true},
		{Title: "Avg s", Width: 7, Right: true}, {Title: "Median", Width: 7, Right: true}, {Title: "Min", Width: 7, Right: true},
		{Title: "Max", Width: 7, Right: true}, {Title: "Std Dev", Right: true}, {Title: "GB/s", Width: 6, Right: true},
	}}
	for _, r := range block.Rows {
		t.Row(record.FormatName(r.Format), r.Loader, fmt.Sprint(r.Loads),
			seconds(r.MeanS), seconds(r.MedianS), seconds(r.MinS), seconds(r.MaxS), seconds(r.SampleStdS), rate(r.MedianBytesPerS))
	}
	for _, r := range block.Rows {
		if facts := summaryFacts(r); facts != nil {
			t.Line(wrap(fmt.Sprintf("  %s %s: ", record.FormatName(r.Format), r.Loader), facts))
		}
	}
	for _, r := range block.Rows {
		for _, warning := range r.Warnings() {
			t.Line(fold("  ! ", record.FormatName(r.Format)+" "+r.Loader+": "+warning))
		}
	}
	comparisons := queries.Compare(block.Rows)
	for _, c := range comparisons {
		t.Line("  " + speedup(c, len(comparisons) > 1))
	}
	return t.Write(out)
}

// summaryFacts are what to know of a row beside its times.
func summaryFacts(r queries.SummaryRow) (facts []string) {
	if r.SourceTiers != "" {
		facts = append(facts, "from "+r.SourceTiers)
	}
	if r.MedianEfficiency != nil {
		facts = append(facts, fmt.Sprintf("bound by %s, at %.2f of the roofline", r.Bound, *r.MedianEfficiency))
	}
	if r.Warmups > 0 {
		facts = append(facts, text.Count(r.Warmups, "warm-up")+" not counted")
	}
	if r.Failed > 0 {
		facts = append(facts, fmt.Sprintf("%d failed", r.Failed))
	}
	if r.MeanTokensPerS != nil {
		facts = append(facts, fmt.Sprintf("%.1f tokens/s", *r.MeanTokensPerS))
	}
	return facts
}

// speedup words the ratio of means as the reference does. If there are several
// loaders it names them.
func speedup(c queries.Comparison, named bool) string {
	means, medians := c.SpeedupOfMeans(), c.SpeedupOfMedians()
	line := "SLLM Speedup: " + ratio(means) + " than SafeTensors"
	if (means < 1) == (medians < 1) {
		line += fmt.Sprintf(" (medians: %.2fx)", max(medians, 1/medians))
	} else {
		line += " (medians: " + ratio(medians) + ")"
	}
	if named {
		line += fmt.Sprintf(",\n    %s against %s", c.SLLM.Loader, c.SafeTensors.Loader)
	}
	return line
}

// ratio words a speedup.
func ratio(speedup float64) string {
	if speedup < 1 {
		return fmt.Sprintf("%.2fx slower", 1/speedup)
	}
	return fmt.Sprintf("%.2fx faster", speedup)
}

// referenceSummary has the keys of the reference's summary.json.
type referenceSummary struct {
	ModelName     string                         `json:"model_name"`
	NumReplicas   int64                          `json:"num_replicas"`
	BenchmarkType string                         `json:"benchmark_type"`
	Statistics    map[string]referenceStatistics `json:"statistics"`
	Speedup       *float64                       `json:"speedup,omitempty"`
}

type referenceStatistics struct {
	Count          int64    `json:"count"`
	AvgLoadingTime *float64 `json:"avg_loading_time"`
	MinLoadingTime *float64 `json:"min_loading_time"`
	MaxLoadingTime *float64 `json:"max_loading_time"`
	StdLoadingTime *float64 `json:"std_loading_time"` // of the population, as the reference's scripts have it
	AvgThroughput  *float64 `json:"avg_throughput"`
}

// ReferenceSummary writes the reference benchmark's summary.json, or an array
// of them if there are several models or benchmark types. A format that several
// loaders loaded has an entry for each, named format/loader.
func ReferenceSummary(w io.Writer, rows []queries.SummaryRow) error {
	var all []referenceSummary
	for _, block := range queries.Blocks(rows) {
		s := referenceSummary{ModelName: block.Model, NumReplicas: block.Rows[0].NumReplicas, BenchmarkType: block.BenchmarkType, Statistics: map[string]referenceStatistics{}}
		loaders := map[string]int{}
		for _, r := range block.Rows {
			loaders[r.Format]++
		}
		for _, r := range block.Rows {
			key := r.Format
			if loaders[key] > 1 {
				key += "/" + r.Loader
			}
			s.Statistics[key] = referenceStatistics{r.Loads, r.MeanS, r.MinS, r.MaxS, r.PopulationStdS, r.MeanTokensPerS}
		}
		if comparisons := queries.Compare(block.Rows); len(comparisons) == 1 {
			s.Speedup = new(comparisons[0].SpeedupOfMeans())
		}
		all = append(all, s)
	}
	if len(all) == 1 {
		return WriteJSON(w, all[0])
	}
	return WriteJSON(w, all)
}

// WriteJSON writes a value as indented JSON.
func WriteJSON(w io.Writer, v any) error {
	out := bufio.NewWriter(w)
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return errors.Join(e.Encode(v), out.Flush())
}
