// Package report writes what is in a warehouse as one page of HTML: summary,
// comparisons with their warnings, failures, pictures and machines, each with the SQL
// behind it.
//
// The page is one file without scripts that loads nothing from elsewhere. Its content
// security policy makes browsers enforce this. [Gather] runs the queries, and
// [Report.Write] writes the page without the warehouse.
package report

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/plots/gallery"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Options choose the content of a report.
type Options struct {
	Title      string // empty: made from the data
	Filter     queries.Filter
	By         []string  // columns to compare by
	Confidence float64   // level of the comparisons' intervals
	Warehouse  string    // its name, to be shown
	Version    string    // of sllmq
	At         time.Time // when the report is written
}

// DefaultOptions compare formats.
func DefaultOptions() Options { return Options{By: []string{"format"}, Confidence: 0.95} }

// Report is the content of a page.
type Report struct {
	options     Options
	machines    []queries.Machine
	summary     []queries.SummaryRow
	failures    []queries.Failure
	comparisons []comparison
	pictures    []picture
	statements  map[string]string // by the name of the query
}

// comparison is the result of one contrast, or why there is none.
type comparison struct {
	by, statement, none string
	pairs               []queries.Pair
}

// picture is a picture of one kind, or why there is none.
type picture struct {
	kind            gallery.Kind
	drawn           *plots.Picture
	statement, none string
}

// Gather runs the queries of a report. A comparison or picture that is not possible is
// not an error: the page says why.
func Gather(ctx context.Context, db *sql.DB, o Options) (*Report, error) {
	r := &Report{options: o, statements: map[string]string{}}
	var err error
	for _, name := range []string{"machines", "summary", "failures"} {
		if r.statements[name], err = queries.Paste(name, o.Filter); err != nil {
			return nil, err
		}
	}
	if r.summary, err = queries.Summary(ctx, db, o.Filter); err != nil {
		return nil, err
	}
	if len(r.summary) == 0 {
		return r, nil
	}
	if r.machines, err = queries.Machines(ctx, db, o.Filter); err != nil {
		return nil, err
	}
	if r.failures, err = queries.Failures(ctx, db, o.Filter); err != nil {
		return nil, err
	}
	for _, by := range o.By {
		c, err := compare(ctx, db, queries.Contrast{Filter: o.Filter, By: by, Confidence: o.Confidence})
		if err != nil {
			return nil, err
		}
		r.comparisons = append(r.comparisons, c)
	}
	for _, kind := range gallery.Kinds() {
		p := picture{kind: kind}
		if p.statement, err = kind.SQL(o.Filter); err != nil {
			return nil, err
		}
		if p.drawn, err = kind.Draw(ctx, db, o.Filter); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			p.none = err.Error()
		}
		r.pictures = append(r.pictures, p)
	}
	return r, nil
}

// compare runs a contrast. An unknown column is an error; that nothing can be compared
// is a result.
func compare(ctx context.Context, db *sql.DB, contrast queries.Contrast) (comparison, error) {
	c := comparison{by: contrast.By}
	var err error
	if c.statement, err = contrast.SQL(ctx, db); err != nil {
		return c, err
	}
	if c.pairs, err = contrast.Ask(ctx, db); err != nil {
		if ctx.Err() != nil {
			return c, err
		}
		c.none = err.Error()
	}
	return c, nil
}

// Empty reports whether no load matches the filter.
func (r *Report) Empty() bool { return len(r.summary) == 0 }

// arms are the arms of the summary.
func (r *Report) arms() (arms []record.Arm) {
	for _, row := range r.summary {
		arms = append(arms, row.Arm)
	}
	return arms
}

// title is the title asked for, or one made from the data.
func (r *Report) title() string {
	if r.options.Title != "" {
		return r.options.Title
	}
	if r.Empty() {
		return "No loads"
	}
	return "Loading " + plots.Subject(r.arms())
}

// filterWords is the filter in words.
func filterWords(f queries.Filter) string {
	var parts []string
	list := func(name string, values []string) {
		if len(values) > 0 {
			parts = append(parts, name+" "+strings.Join(values, " or "))
		}
	}
	list("model", f.Models)
	list("format", f.Formats)
	list("benchmark type", f.BenchmarkTypes)
	list("run", f.Runs)
	list("collect", f.Collects)
	var tags []string
	for key, value := range f.Tags {
		tags = append(tags, "tag "+key+"="+value)
	}
	slices.Sort(tags)
	parts = append(parts, tags...)
	if !f.Since.IsZero() {
		parts = append(parts, "since "+moment(f.Since))
	}
	if !f.Until.IsZero() {
		parts = append(parts, "before "+moment(f.Until))
	}
	if f.Where != "" {
		parts = append(parts, "where "+f.Where)
	}
	if len(parts) == 0 {
		return "all loads"
	}
	return "loads with " + strings.Join(parts, ", ")
}
