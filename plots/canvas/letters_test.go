package canvas

import (
	"strings"
	"testing"
)

func TestNamesAreShortenedInTheMiddleAndStayDifferent(t *testing.T) {
	f := Regular(8)
	names := []string{"organisation/model-one-7b-instruct", "organisation/model-two-7b-instruct", "short", "organisation/model-one-7b-instruct"}
	short := ShortenAll(f, names, 60)
	for i, s := range short {
		if f.Width(s) > 60 {
			t.Errorf("%q is too wide", s)
		}
		if i < 2 && (!strings.Contains(s, "…") || !strings.HasPrefix(s, "org")) {
			t.Errorf("%q is not shortened in the middle", s)
		}
	}
	if short[0] == short[1] || short[0] != short[3] || short[2] != "short" {
		t.Errorf("names %q", short)
	}
	if got := Shorten(f, strings.Repeat("x", 1<<16), 40); f.Width(got) > 40 {
		t.Errorf("%q is too wide", got)
	}
}
