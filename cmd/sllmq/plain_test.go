package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

// TestNamesDoNotReachATerminalAsCommands: whoever made a warehouse that is
// imported chose the names in it.
func TestNamesDoNotReachATerminalAsCommands(t *testing.T) {
	const name = "böse\x1b[2J\rx\x7f"
	var out, said bytes.Buffer
	if err := writeSummary(&out, []queries.SummaryRow{{Arm: record.Arm{Model: name, Format: "sllm", Loader: name, Machine: name}}}); err != nil {
		t.Fatal(err)
	}
	env := &environment{stderr: &said}
	env.complain(errors.New("no model " + name))
	newProgress(&said, nil).Note(name)
	for _, text := range []string{out.String(), said.String()} {
		if strings.ContainsAny(text, "\x1b\r\x7f") || !strings.Contains(text, "böse?[2J") {
			t.Errorf("%q", text)
		}
	}
}

func TestNamesInComparisons(t *testing.T) {
	const name = "böse\x1b[2J\n| x |\x7f"
	contrast := queries.Contrast{By: name, Confidence: 0.95}
	pair := queries.Pair{Shared: queries.Key{Arm: record.Arm{Model: name}}, Baseline: name, Arm: name}
	for _, format := range []string{"table", "markdown"} {
		var compared, judged bytes.Buffer
		if err := writeComparison(&compared, format, contrast, []queries.Pair{pair}); err != nil {
			t.Fatal(err)
		}
		checked := queries.Checked{Pairs: []queries.Judged{{Pair: pair, Decision: stats.Decision{Reason: name}}}}
		if err := (checkOptions{format: format}).write(&environment{stdout: &judged}, queries.Check{Contrast: contrast}, checked); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{compared.String(), judged.String()} {
			if strings.ContainsAny(text, "\x1b\x7f") || !strings.Contains(text, "böse?[2J") {
				t.Errorf("%s: %q", format, text)
			}
			if format == "markdown" && !strings.Contains(text, `| böse?[2J \| x \|? |`) {
				t.Errorf("%q", text)
			}
		}
	}
}

func TestQuotedIsOneWord(t *testing.T) {
	for word, want := range map[string]string{
		"results/w.duckdb": "results/w.duckdb", "my file": "'my file'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "": "''", "größe": "'größe'",
	} {
		if got := quoted(word); got != want {
			t.Errorf("quoted(%q) = %s, want %s", word, got, want)
		}
	}
}

// TestHelpFitsATerminal: what is said, beside examples, which are pasted.
func TestHelpFitsATerminal(t *testing.T) {
	env := &environment{getenv: func(string) string { return "" }, stdout: io.Discard, stderr: io.Discard}
	commands := []*cobra.Command{newRootCommand(env)}
	for ; len(commands) > 0; commands = commands[1:] {
		c := commands[0]
		commands = append(commands, c.Commands()...)
		c.Example = ""
		for line := range strings.Lines(c.Long + "\n" + c.UsageString()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
	}
}
