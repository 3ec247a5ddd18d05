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
	"github.com/sllmq/sllmq/plots/gallery"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/warehouse/record"
)

//go:embed report.html
var pageHTML string

// page is the data of the template: text, except for the pictures.
type page struct {
	Title, Filter, Warehouse, Version, At string
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
	FailuresNotShown                      int
	FailuresSQL                           string
}

type machine struct {
	Name  string
	Facts []fact
}

// block is a block of the summary in words.
type block struct {
	Model, Conditions string
	Rows              []summaryRow
	Warnings          []string
	Speedups          []string
	// Whether any row has these. Columns of dashes are left out.
	Rates, Bounds, Sources, Tokens bool
}

type summaryRow struct {
	Format, Loader, Loads, Mean, Median, Min, Max, StdDev, Rate, Efficiency, Bound, Source, Tokens string
	Aside                                                                                          string // loads that are not counted
}

// contrast is a comparison in words.
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

// mostFailures is how many are shown. Their SQL returns all.
const mostFailures = 50

// Widths of pictures in inches, for a page and for a phone held upright.
const (
	wideIn   = 7.5
	narrowIn = 3.5
)

// Write writes the page as HTML.
func (r *Report) Write(w io.Writer) error {
	t, err := template.New("report").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("parse the report's template: %w", err)
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
	p := page{Title: r.title(), Filter: filterWords(o.Filter), Warehouse: o.Warehouse, Version: o.Version, At: moment(o.At), Empty: r.Empty(),
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
	for _, b := range queries.Blocks(r.summary) {
		p.Blocks = append(p.Blocks, blockWords(b))
	}
	for _, c := range r.comparisons {
		p.Comparisons = append(p.Comparisons, c.words(o.Confidence))
	}
	names := plots.NameArms(r.arms())
	for _, f := range r.failures[:min(len(r.failures), mostFailures)] {
		p.Failures = append(p.Failures, failure{moment(f.StartedAt), names.Arm(f.Arm), fmt.Sprintf("%s, run %.8s, load %d", f.Machine, f.RunID, f.Seq), f.Error})
	}
	p.FailuresNotShown = len(r.failures) - len(p.Failures)
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

// inline is a picture as an SVG element of the page. The encoder has escaped all text
// in it.
func inline(d *plots.Picture, o plots.Options) (template.HTML, error) {
	var b bytes.Buffer
	if err := plots.Encode(&b, d, "svg", o); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil
}

// blockWords is a block of the summary in words.
func blockWords(b queries.Block) block {
	w := block{Model: b.Model, Conditions: b.Conditions(), Speedups: speedups(b.Rows)}
	for _, r := range b.Rows {
		w.Rows = append(w.Rows, summaryWords(r))
		w.Rates, w.Bounds = w.Rates || r.MedianBytesPerS != nil, w.Bounds || r.MedianEfficiency != nil
		w.Sources, w.Tokens = w.Sources || r.SourceTiers != "", w.Tokens || r.MeanTokensPerS != nil
		for _, warning := range r.Warnings() {
			w.Warnings = append(w.Warnings, record.FormatName(r.Format)+" "+r.Loader+": "+warning)
		}
	}
	return w
}

// speedups compare each loader of SLLM with the baseline.
func speedups(rows []queries.SummaryRow) (lines []string) {
	pairs := queries.Compare(rows)
	var arms []record.Arm
	for _, c := range pairs {
		arms = append(arms, c.SafeTensors.Arm)
	}
	baseline := gallery.Baseline(arms)
	for _, c := range pairs {
		if c.SafeTensors.Arm == baseline {
			lines = append(lines, fmt.Sprintf("SLLM %s is %.2f× as fast as SafeTensors %s by means, %.2f× by medians", c.SLLM.Loader, c.SpeedupOfMeans(), c.SafeTensors.Loader, c.SpeedupOfMedians()))
		}
	}
	return lines
}

func summaryWords(r queries.SummaryRow) summaryRow {
	s := summaryRow{Format: record.FormatName(r.Format), Loader: r.Loader, Loads: fmt.Sprint(r.Loads),
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
	var texts []string
	for _, arm := range slices.Sorted(maps.Keys(means)) {
		texts = append(texts, fmt.Sprintf("%s %.3f over %d comparisons", arm, means[arm].Mean, means[arm].N))
	}
	if len(texts) > 0 {
		w.Means = "Geometric mean of the ratios: " + strings.Join(texts, "; ") + "."
	}
	return w
}
