package render

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Whoever made a warehouse that is imported chose the names in it.
func TestNamesDoNotReachATerminalAsCommands(t *testing.T) {
	const name = "böse\x1b[2J\n| x |\x7f"
	contrast := queries.Contrast{By: name, Confidence: 0.95}
	pair := queries.Pair{Shared: queries.Key{Arm: record.Arm{Model: name}}, Baseline: name, Arm: name}
	checked := queries.Checked{Pairs: []queries.Judged{{Pair: pair, Decision: stats.Decision{Reason: name}}}}
	series := queries.TrendSeries{Arm: record.Arm{Model: name}, Levels: []queries.Level{{MedianS: 1}}, Stretches: []queries.Stretch{{Runs: 1, With: []string{name}}}}
	var out bytes.Buffer
	write := func(name string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		text := out.String()
		if strings.ContainsAny(text, "\x1b\x7f") || !strings.Contains(text, "böse?[2J") {
			t.Errorf("%s: %q", name, text)
		}
		if strings.Contains(name, "Markdown") && !strings.Contains(text, `| böse?[2J \| x \|? |`) {
			t.Errorf("%s: %q", name, text)
		}
		out.Reset()
	}
	write("summary", Summary(&out, []queries.SummaryRow{{Arm: record.Arm{Model: name, Format: "sllm", Loader: name, Machine: name}}}))
	write("comparison", Comparison(&out, FormatTable, contrast, []queries.Pair{pair}))
	write("comparison in Markdown", Comparison(&out, FormatMarkdown, contrast, []queries.Pair{pair}))
	write("check", Check(&out, FormatTable, queries.Check{Contrast: contrast}, checked))
	write("check in Markdown", Check(&out, FormatMarkdown, queries.Check{Contrast: contrast}, checked))
	write("trend", Trend(&out, FormatTable, queries.Trend{}, []queries.TrendSeries{series}))
}
