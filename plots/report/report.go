// Package report puts what a warehouse answers on one page of HTML: the
// machines, the summary, the comparisons with their warnings, the failures and
// the pictures, each with the SQL behind it. The page is one file that asks for
// nothing: no script, no font and no picture from elsewhere, which its content
// security policy holds a browser to.
package report

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/plots/gallery"
	"github.com/sllmq/sllmq/queries"
)

// Options are what a report is of.
type Options struct {
	Title      string // empty: told from the data
	Filter     queries.Filter
	By         []string // columns to compare by
	Confidence float64  // of the comparisons' intervals
	Warehouse  string   // its name
	Version    string   // of sllmq
	At         time.Time
}

// DefaultOptions compare formats.
func DefaultOptions() Options { return Options{By: []string{"format"}, Confidence: 0.95} }

// Report is a page's content.
type Report struct {
	options     Options
	machines    []queries.Machine
	summary     []queries.SummaryRow
	failures    []queries.Failure
	comparisons []comparison
	pictures    []picture
	statements  map[string]string // the SQL behind a table
}

// comparison is the answer to one contrast, or why there is none.
type comparison struct {
	by, statement, none string
	pairs               []queries.Pair
}

// picture is one of the gallery, or why there is none.
type picture struct {
	kind            gallery.Kind
	drawn           *plots.Picture
	statement, none string
}

// Gather asks the warehouse for all of it. A question that has no answer has
// its place on the page, which says why.
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

// compare asks for a contrast. That a column is not there is the asker's
// mistake; that nothing can be compared is an answer.
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

// Empty says that there are no loads to report on.
func (r *Report) Empty() bool { return len(r.summary) == 0 }

// title is what the report is of.
func (r *Report) title() string {
	if r.options.Title != "" {
		return r.options.Title
	}
	var models []string
	for _, row := range r.summary {
		if !slices.Contains(models, row.Model) {
			models = append(models, row.Model)
		}
	}
	switch len(models) {
	case 0:
		return "No loads"
	case 1:
		return "Loading " + models[0]
	}
	return fmt.Sprintf("Loading %d models", len(models))
}

// chosen is the filter in words.
func chosen(f queries.Filter) string {
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
