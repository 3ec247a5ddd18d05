package text_test

import (
	"testing"

	"github.com/sllmq/sllmq/internal/text"
)

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"plain":                  "plain",
		"two\nlines\r\n":         "two lines",
		" \x1b[31mred\x00\x7f\t": "[31mred",
		"caf\u00e9\u2028next":    "café next",
	} {
		if got := text.OneLine(in); got != want {
			t.Errorf("OneLine(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		in   string
		max  int
		want string
	}{
		{"short", 5, "short"},
		{"longer", 5, "longe…"},
		{"aé", 2, "a…"},
		{"日本語", 4, "日…"},
		{"a\xffb", 9, "a\uFFFDb"},
		{"", 0, ""},
	} {
		if got := text.Clip(c.in, c.max); got != c.want {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.in, c.max, got, c.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	if got, want := text.Printable("böse\x1b[2J\r\n\tx\x7f\u009b"), "böse?[2J?\n\tx??"; got != want {
		t.Errorf("Printable = %q, want %q", got, want)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 runs", 1: "1 run", 2: "2 runs"} {
		if got := text.Count(n, "run"); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}
