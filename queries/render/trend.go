package render

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/sllmq/sllmq/internal/text"
	"github.com/sllmq/sllmq/queries"
)

// TrendFormats lists the formats of Trend.
func TrendFormats() []string { return []string{FormatTable, FormatCSV, FormatJSON} }

// Trend writes the series that answer a trend, level by level.
func Trend(w io.Writer, format string, t queries.Trend, list []queries.TrendSeries) error {
	switch format {
	case FormatTable:
		return writeTrend(w, t, list)
	case FormatCSV:
		return writeTrendCSV(w, list)
	case FormatJSON:
		return WriteJSON(w, stretchRows(list))
	}
	return CheckFormat(format, TrendFormats())
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// writeTrend writes a block for each series: its shape, then a line for each
// level.
func writeTrend(w io.Writer, t queries.Trend, list []queries.TrendSeries) error {
	out := bufio.NewWriter(w)
	by, room := "from", len(time.DateOnly)
	if t.By != "" {
		by, room = t.By, 0
		for _, s := range list {
			for _, stretch := range s.Stretches {
				room = max(room, width(stretch.Value))
			}
		}
	}
	for i, s := range list {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintln(out, text.Printable(fold("", fmt.Sprintf("%s, %s, %s %s, to %s by %s on %s: %s, %s to %s", s.Model, s.BenchmarkType, s.Format, s.Loader, s.Device, s.Engine, s.Machine,
			text.Count(int64(len(s.Levels)), "run"), day(s.Levels[0].StartedAt), day(s.Levels[len(s.Levels)-1].StartedAt)))))
		fmt.Fprintln(out, "  "+spark(s.Levels))
		table := Table{Indent: 2, Columns: []Column{
			{Title: by, Width: room}, {Title: "runs", Right: true}, {Title: "median s", Right: true}, {Title: "change", Width: 7, Right: true}, {Title: "p", Width: 6, Right: true}, {Title: "with it"},
		}}
		for k, stretch := range s.Stretches {
			name, change, p := day(stretch.StartedAt), "", ""
			if t.By != "" {
				name = cmp.Or(stretch.Value, "none")
			}
			if k > 0 {
				change, p = fmt.Sprintf("%+.1f %%", 100*stretch.Change), pValue(stretch.P)
			}
			table.Row(name, fmt.Sprint(stretch.Runs), precise(stretch.MedianS), change, p, strings.Join(stretch.With, "\n"))
		}
		switch {
		case t.By != "" || len(s.Stretches) > 1:
		case len(s.Levels) < queries.TrendNeed:
			table.Line(fmt.Sprintf("    ! need ≥ %d runs to find a change", queries.TrendNeed))
		default:
			table.Line(fmt.Sprintf("    no change of level over %.4g %%", 100*t.MinChange))
		}
		if s.Tags != nil {
			table.Line(fold("    ! ", "runs of different tags in one series: "+tagWords(s.Tags)+"; choose with --tag"))
		}
		if err := table.Write(out); err != nil {
			return err
		}
	}
	return out.Flush()
}

// tagWords lists what runs are tagged with.
func tagWords(tags []string) string {
	const shown = 4
	var words []string
	for i, t := range tags {
		if i == shown {
			return strings.Join(words, ", ") + fmt.Sprintf(" and %d more", len(tags)-shown)
		}
		words = append(words, cmp.Or(t, "none"))
	}
	return strings.Join(words, ", ")
}

// spark draws the medians in a line of text, from the fastest to the slowest.
func spark(levels []queries.Level) string {
	const most = 76
	bars := []rune("▁▂▃▄▅▆▇█")
	lo, hi := levels[0].MedianS, levels[0].MedianS
	for _, l := range levels {
		lo, hi = min(lo, l.MedianS), max(hi, l.MedianS)
	}
	columns := min(most, len(levels))
	var line []rune
	for c := range columns {
		from, to := c*len(levels)/columns, (c+1)*len(levels)/columns
		mean := 0.0
		for _, l := range levels[from:to] {
			mean += l.MedianS / float64(to-from)
		}
		height := 0
		if hi > lo {
			height = int((mean - lo) / (hi - lo) * float64(len(bars)-1) * 0.999999)
		}
		line = append(line, bars[height])
	}
	return string(line)
}

// stretchRow is a level as programs read it.
type stretchRow struct {
	Machine       string   `json:"machine"`
	Model         string   `json:"model"`
	BenchmarkType string   `json:"benchmark_type"`
	Format        string   `json:"format"`
	Loader        string   `json:"loader"`
	Device        string   `json:"device"`
	Engine        string   `json:"engine"`
	StartedAt     string   `json:"started_at"`
	Value         string   `json:"value"`
	Runs          int      `json:"runs"`
	MedianS       float64  `json:"median_s"`
	Change        *float64 `json:"change"`
	P             *float64 `json:"p"`
	RunID         string   `json:"run_id"`
	With          []string `json:"with"`
}

func stretchRows(list []queries.TrendSeries) []stretchRow {
	rows := []stretchRow{}
	for _, s := range list {
		for k, stretch := range s.Stretches {
			row := stretchRow{Machine: s.Machine, Model: s.Model, BenchmarkType: s.BenchmarkType, Format: s.Format, Loader: s.Loader, Device: s.Device, Engine: s.Engine,
				StartedAt: stretch.StartedAt.UTC().Format("2006-01-02T15:04:05Z07:00"), Value: stretch.Value, Runs: stretch.Runs, MedianS: stretch.MedianS,
				RunID: s.Levels[stretch.Index].RunID, With: append([]string{}, stretch.With...)}
			if k > 0 {
				row.Change, row.P = &stretch.Change, finite(stretch.P)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func writeTrendCSV(w io.Writer, list []queries.TrendSeries) error {
	lines := [][]string{{"machine", "model", "benchmark_type", "format", "loader", "device", "engine", "started_at", "value", "runs", "median_s", "change", "p", "run_id", "with"}}
	for _, r := range stretchRows(list) {
		lines = append(lines, []string{r.Machine, r.Model, r.BenchmarkType, r.Format, r.Loader, r.Device, r.Engine, r.StartedAt, r.Value, strconv.Itoa(r.Runs), cell(r.MedianS), cell(r.Change), cell(r.P), r.RunID, cell(r.With)})
	}
	return csv.NewWriter(w).WriteAll(lines)
}
