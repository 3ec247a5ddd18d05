package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

//go:embed report.html
var pageHTML string

// page is what the template is filled with: text, but for the pictures.
type page struct {
	Title, Chosen, Warehouse, Version, At string
	Counts                                string
	Empty                                 bool
	Machines                              []machine
	MachinesSQL                           string
	Blocks                                []block
	SummarySQL                            string
	Comparisons                           []contrast
	Pictures                              []figure
	NotDrawn                              []fact
	Failures                              []failure
	FailuresLeftOut                       int
	FailuresSQL                           string
}

type machine struct {
	Name  string
	Facts []fact
}

// block is the arms of one model, benchmark type, device, engine and machine.
type block struct {
	Model, Conditions string
	Rows              []summaryRow
	Warnings          []string
	Speedups          []string
	// Whether any row knows these; a column of dashes says nothing.
	Rates, Bounds, Sources, Tokens bool
}

type summaryRow struct {
	Format, Loader, Loads, Mean, Median, Min, Max, StdDev, Rate, Efficiency, Bound, Source, Tokens string
	Aside                                                                                          string // failed loads and warm-ups
}

type contrast struct {
	By, None, SQL, Means, Common string
	Confidence                   string
	Pairs                        []pair
}

type pair struct {
	Group, Baseline, Arm, Before, After, Ratio, Interval, P, N string
	Significant                                                bool
	Notes                                                      []string
}

type figure struct {
	Kind, About, SQL string
	Wide, Narrow     template.HTML
}

type failure struct{ At, What, Where, Error string }

// mostFailures is how many are printed; the SQL gives the rest.
const mostFailures = 50

// Widths of a picture in inches: of a page, and of a phone held upright.
const (
	wideIn   = 7.5
	narrowIn = 3.5
)

// Write writes the page.
func (r *Report) Write(w io.Writer) error {
	t, err := template.New("report").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("read the report's template: %w", err)
	}
	p, err := r.page()
	if err != nil {
		return err
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (r *Report) page() (page, error) {
	o := r.options
	p := page{Title: r.title(), Chosen: chosen(o.Filter), Warehouse: o.Warehouse, Version: o.Version, At: moment(o.At), Empty: r.Empty(),
		MachinesSQL: r.statements["machines"], SummarySQL: r.statements["summary"], FailuresSQL: r.statements["failures"]}
	var loads, failed, warmups int64
	for _, row := range r.summary {
		loads, failed, warmups = loads+row.Loads, failed+row.Failed, warmups+row.Warmups
	}
	p.Counts = count(&loads, "load counted", "loads counted")
	if warmups > 0 {
		p.Counts += ", " + count(&warmups, "warm-up not counted", "warm-ups not counted")
	}
	if failed > 0 {
		p.Counts += ", " + count(&failed, "failed", "failed")
	}
	for _, m := range r.machines {
		p.Machines = append(p.Machines, machine{m.Machine.Machine, facts(m)})
	}
	p.Blocks = blocks(r.summary)
	for _, c := range r.comparisons {
		p.Comparisons = append(p.Comparisons, c.words(o.Confidence))
	}
	for _, f := range r.failures[:min(len(r.failures), mostFailures)] {
		p.Failures = append(p.Failures, failure{moment(f.StartedAt), fmt.Sprintf("%s, %s, %s %s", f.Model, f.BenchmarkType, queries.FormatName(f.Format), f.Loader),
			fmt.Sprintf("%s, run %.8s, load %d", f.Machine, f.RunID, f.Seq), f.Error})
	}
	p.FailuresLeftOut = len(r.failures) - len(p.Failures)
	for _, d := range r.pictures {
		if d.none != "" {
			p.NotDrawn = append(p.NotDrawn, fact{d.kind.Name, d.none})
			continue
		}
		f := figure{Kind: d.kind.Name, About: d.kind.About, SQL: d.statement}
		var err error
		if f.Wide, err = inline(d.drawn, plots.Options{WidthIn: wideIn, IDPrefix: d.kind.Name + "-w"}); err != nil {
			return p, fmt.Errorf("draw %s: %w", d.kind.Name, err)
		}
		if f.Narrow, err = inline(d.drawn, plots.Options{WidthIn: narrowIn, IDPrefix: d.kind.Name + "-n", Still: true}); err != nil {
			return p, fmt.Errorf("draw %s: %w", d.kind.Name, err)
		}
		p.Pictures = append(p.Pictures, f)
	}
	return p, nil
}

// inline is a picture as SVG that stands in the page. All text in it was escaped
// by the encoder.
func inline(d *plots.Picture, o plots.Options) (template.HTML, error) {
	var b bytes.Buffer
	if err := plots.Encode(&b, d, "svg", o); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil
}

// blocks groups the rows that stand beside one another.
func blocks(rows []queries.SummaryRow) []block {
	var list []block
	var of [][]queries.SummaryRow
	for i, r := range rows {
		conditions := fmt.Sprintf("%s, to %s by %s on %s", r.BenchmarkType, r.Device, r.Engine, r.Machine)
		if last := len(list) - 1; i == 0 || list[last].Model != r.Model || list[last].Conditions != conditions {
			list, of = append(list, block{Model: r.Model, Conditions: conditions}), append(of, nil)
		}
		last := len(list) - 1
		of[last] = append(of[last], r)
		b := &list[last]
		b.Rows = append(b.Rows, summaryWords(r))
		b.Rates, b.Bounds = b.Rates || r.MedianBytesPerS != nil, b.Bounds || r.MedianEfficiency != nil
		b.Sources, b.Tokens = b.Sources || r.SourceTiers != "", b.Tokens || r.MeanTokensPerS != nil
		warnings := r.Warnings()
		if r.Failed > 0 {
			warnings = append(warnings, fmt.Sprintf("%d failed, which are in no figure here", r.Failed))
		}
		for _, w := range warnings {
			b.Warnings = append(b.Warnings, queries.FormatName(r.Format)+" "+r.Loader+": "+w)
		}
	}
	for i := range list {
		list[i].Speedups = speedups(of[i])
	}
	return list
}

// speedups hold each loader of SLLM against SafeTensors as most people load it.
func speedups(rows []queries.SummaryRow) (lines []string) {
	pairs := queries.Compare(rows)
	for _, loader := range []string{"mmap-parallel", "mmap", ""} {
		for _, c := range pairs {
			if c.SafeTensors.Loader == loader || loader == "" && c.SafeTensors.Loader == pairs[0].SafeTensors.Loader {
				lines = append(lines, fmt.Sprintf("SLLM %s against SafeTensors %s: %.2f× as fast by means, %.2f× by medians", c.SLLM.Loader, c.SafeTensors.Loader, c.SpeedupOfMeans(), c.SpeedupOfMedians()))
			}
		}
		if len(lines) > 0 {
			return lines
		}
	}
	return nil
}

func summaryWords(r queries.SummaryRow) summaryRow {
	s := summaryRow{Format: queries.FormatName(r.Format), Loader: r.Loader, Loads: fmt.Sprint(r.Loads),
		Mean: seconds(r.MeanS), Median: seconds(r.MedianS), Min: seconds(r.MinS), Max: seconds(r.MaxS), StdDev: seconds(r.SampleStdS),
		Rate: decimals(r.MedianBytesPerS, 2, 1e9), Efficiency: decimals(r.MedianEfficiency, 2, 1), Bound: r.Bound, Source: r.SourceTiers, Tokens: decimals(r.MeanTokensPerS, 1, 1)}
	var aside []string
	if r.Failed > 0 {
		aside = append(aside, fmt.Sprintf("%d failed", r.Failed))
	}
	if r.Warmups > 0 {
		aside = append(aside, count(&r.Warmups, "warm-up", "warm-ups"))
	}
	s.Aside = strings.Join(aside, ", ")
	return s
}

func (c comparison) words(confidence float64) contrast {
	w := contrast{By: c.by, None: c.none, SQL: c.statement, Confidence: fmt.Sprintf("%.4g", 100*confidence)}
	for _, p := range c.pairs {
		group := queries.GroupTitle(p, c.pairs)
		row := pair{Group: group, Baseline: p.Baseline, Arm: p.Arm, Before: seconds(&p.Ratio.Before), After: seconds(&p.Ratio.After),
			Ratio: fmt.Sprintf("%.3f", p.Ratio.Estimate), Interval: unknown, P: fmt.Sprintf("%.3f", p.AdjustedP), N: fmt.Sprintf("%d + %d %ss", p.Before.N, p.After.N, p.Unit),
			Significant: p.Significant(confidence), Notes: p.Notes()}
		if p.Ratio.Interval.Known() {
			row.Interval = fmt.Sprintf("%.3f to %.3f", p.Ratio.Interval.Lo, p.Ratio.Interval.Hi)
		}
		if p.AdjustedP < 0.001 {
			row.P = "< 0.001"
		}
		w.Pairs = append(w.Pairs, row)
	}
	if len(c.pairs) > 0 {
		w.Common = queries.CommonTitle(c.pairs)
	}
	means := queries.GeometricMeans(c.pairs)
	var said []string
	for _, arm := range slices.Sorted(maps.Keys(means)) {
		said = append(said, fmt.Sprintf("%s %.3f over %d comparisons", arm, means[arm].Mean, means[arm].N))
	}
	if len(said) > 0 {
		w.Means = "Geometric mean of the ratios: " + strings.Join(said, "; ") + "."
	}
	return w
}
