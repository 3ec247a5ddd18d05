package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Names in errors and notes may come from an imported warehouse, whose maker
// chose them.
func TestNamesDoNotReachATerminalAsCommands(t *testing.T) {
	const name = "böse\x1b[2J\rx\x7f"
	var said bytes.Buffer
	env := &environment{stderr: &said}
	env.complain(errors.New("no model " + name))
	newProgress(&said, nil).Note(name)
	if text := said.String(); strings.ContainsAny(text, "\x1b\r\x7f") || strings.Count(text, "böse?[2J") != 2 {
		t.Errorf("%q", text)
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
