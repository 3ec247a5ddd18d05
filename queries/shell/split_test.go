package shell

import (
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for text, want := range map[string]struct {
		statements []string
		rest       string
	}{
		"":                         {nil, ""},
		"select 1":                 {nil, "select 1"},
		"select 1;":                {[]string{"select 1"}, ""},
		"a; b ;c":                  {[]string{"a", "b"}, "c"},
		";;; a;":                   {[]string{"a"}, ""},
		"select ';';":              {[]string{"select ';'"}, ""},
		"select 'it''s; one';b;":   {[]string{"select 'it''s; one'", "b"}, ""},
		`select ";" from "a""b;";`: {[]string{`select ";" from "a""b;"`}, ""},
		`select e'\';';b;`:         {[]string{`select e'\';'`, "b"}, ""},
		`select '\';b;`:            {[]string{`select '\'`, "b"}, ""},
		`select name'x;';`:         {[]string{`select name'x;'`}, ""},
		"a -- b; c\n;":             {[]string{"a -- b; c"}, ""},
		"-- b; c\n;":               {nil, ""},
		"a /* ; /* ; */ ; */;b":    {[]string{"a /* ; /* ; */ ; */"}, "b"},
		"a /* ; /* ; */ ;":         {nil, "a /* ; /* ; */ ;"},
		"$$ ; $$;":                 {[]string{"$$ ; $$"}, ""},
		"$x$ ; $$ ; $y$ ; $x$;b;":  {[]string{"$x$ ; $$ ; $y$ ; $x$", "b"}, ""},
		"$a || $b; c":              {[]string{"$a || $b"}, " c"},
		"$1; $1$2;":                {[]string{"$1", "$1$2"}, ""},
		"select 'open;":            {nil, "select 'open;"},
	} {
		statements, rest := Split(text)
		if !slices.Equal(statements, want.statements) || rest != want.rest {
			t.Errorf("%q is %q and %q, want %q and %q", text, statements, rest, want.statements, want.rest)
		}
	}
}

func TestWhatIsComplete(t *testing.T) {
	for entry, want := range map[string]bool{
		"": true, "  ": true, ".help": true, " .tables": true, "select 1": false, "select 1;": true, "select 1; -- that's it": true,
		"select 1; select 2": false, "-- only\n": false, "select ';": false,
	} {
		if got := complete(entry); got != want {
			t.Errorf("%q: %v", entry, got)
		}
	}
}

// What is cut apart is all that there was.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"a;b", "e'\\';';", "$x$;$x$", "/*/**/;*/;", "--\n;", "$", "'", "\"", "$$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		statements, rest := Split(text)
		for _, s := range append(statements, rest) {
			if !strings.Contains(text, s) {
				t.Errorf("%q is not in %q", s, text)
			}
		}
		for _, s := range statements {
			if Blank(s) {
				t.Errorf("%q of %q is nothing", s, text)
			}
			if again, more := Split(s + ";"); len(again) != 1 || again[0] != s || more != "" {
				// A comment up to the end of the line takes the semicolon in.
				if _, comment := Split(s + "\n;"); comment != "" {
					t.Errorf("%q, cut from %q, is %q and %q", s, text, again, more)
				}
			}
		}
	})
}
