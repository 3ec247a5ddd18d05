package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/warehouse/record"
)

// writeSummary prints the reference's table: for each model and benchmark
// type the formats' loading times, the speedup, and the inference where there
// is one. Lines fit 80 columns.
func writeSummary(w io.Writer, rows []queries.SummaryRow) error {
	out := bufio.NewWriter(plain{w})
	if len(rows) == 0 {
		fmt.Fprintln(out, "no loads")
	}
	for i, block := range queries.Blocks(rows) {
		if i > 0 {
			fmt.Fprintln(out)
		}
		writeBlock(out, block)
	}
	return out.Flush()
}

func writeBlock(out io.Writer, block queries.Block) {
	rows := block.Rows
	fmt.Fprintf(out, "%s, %s\n", block.Model, block.Conditions())
	fmt.Fprintf(out, "  %-11s %-13s %5s %7s %7s %7s %7s %7s %6s\n", "Format", "Loader", "Loads", "Avg s", "Median", "Min", "Max", "Std Dev", "GB/s")
	for _, r := range rows {
		fmt.Fprintf(out, "  %-11s %-13s %5d %7s %7s %7s %7s %7s %6s\n", record.FormatName(r.Format), r.Loader, r.Loads,
			seconds(r.MeanS), seconds(r.MedianS), seconds(r.MinS), seconds(r.MaxS), seconds(r.SampleStdS), rate(r.MedianBytesPerS))
	}
	for _, r := range rows {
		var said []string
		if r.SourceTiers != "" {
			said = append(said, "from "+r.SourceTiers)
		}
		if r.MedianEfficiency != nil {
			said = append(said, fmt.Sprintf("bound by %s, at %.2f of the roofline", r.Bound, *r.MedianEfficiency))
		}
		if r.Warmups > 0 {
			said = append(said, fmt.Sprintf("%d warm-up not counted", r.Warmups))
		}
		if r.Failed > 0 {
			said = append(said, fmt.Sprintf("%d failed", r.Failed))
		}
		if r.MeanTokensPerS != nil {
			said = append(said, fmt.Sprintf("%.1f tokens/s", *r.MeanTokensPerS))
		}
		if len(said) > 0 {
			fmt.Fprintln(out, wrap(fmt.Sprintf("  %s %s: ", record.FormatName(r.Format), r.Loader), said))
		}
	}
	for _, r := range rows {
		for _, w := range r.Warnings() {
			fmt.Fprintln(out, fold("  ! ", record.FormatName(r.Format)+" "+r.Loader+": "+w))
		}
	}
	comparisons := queries.Compare(rows)
	for _, c := range comparisons {
		fmt.Fprintln(out, "  "+speedup(c, len(comparisons) > 1))
	}
}

// wrap joins parts with semicolons behind a head, in lines of at most 80
// columns where the parts allow it.
func wrap(head string, parts []string) string {
	var b strings.Builder
	b.WriteString(head)
	column := len(head)
	for i, part := range parts {
		if i > 0 {
			b.WriteByte(';')
			if column+2+len(part) > 79 {
				b.WriteString("\n   ")
				column = 3
			}
			b.WriteByte(' ')
			column += 2
		}
		b.WriteString(part)
		column += len(part)
	}
	return b.String()
}

// speedup words the ratio of means as the reference does; the loaders are
// named where there are several.
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

func seconds(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *v)
}

func rate(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *v/1e9)
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

// writeSummaryJSON writes the reference's summary.json; where there is more
// than one model or benchmark type, an array of them. A format that several
// loaders brought has one entry for each, named format/loader.
func writeSummaryJSON(w io.Writer, rows []queries.SummaryRow) error {
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
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if len(all) == 1 {
		return e.Encode(all[0])
	}
	return e.Encode(all)
}
