package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/queries"
)

// TestNamesDoNotReachATerminalAsCommands: whoever made a warehouse that is
// imported chose the names in it.
func TestNamesDoNotReachATerminalAsCommands(t *testing.T) {
	const name = "böse\x1b[2J\rx\x7f"
	var out, said bytes.Buffer
	if err := writeSummary(&out, []queries.SummaryRow{{Model: name, Format: "sllm", Loader: name, Machine: name}}); err != nil {
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

func TestQuotedIsOneWord(t *testing.T) {
	for word, want := range map[string]string{
		"results/w.duckdb": "results/w.duckdb", "my file": "'my file'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "": "''", "größe": "'größe'",
	} {
		if got := quoted(word); got != want {
			t.Errorf("quoted(%q) = %s, want %s", word, got, want)
		}
	}
}
