package shell

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHelpFitsATerminal(t *testing.T) {
	var out strings.Builder
	s := &shell{Options: Options{Out: &out, Width: func() int { return 80 }}}
	if err := s.help(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, c := range commands() {
		if c.does != "" && !strings.Contains(out.String(), "  ."+c.name) {
			t.Errorf("nothing about .%s", c.name)
		}
	}
}
