package chart

import (
	"fmt"
	"slices"
	"testing"
)

// Looks differ in more than colour, and the first two also in grey.
func TestLooksDiffer(t *testing.T) {
	var seen []string
	for i := range Looks {
		l := LookOf(i)
		for _, s := range []string{fmt.Sprint(l.Ink, " hatch ", l.Hatch), fmt.Sprint(l.Ink, " mark ", l.Mark)} {
			if slices.Contains(seen, s) {
				t.Errorf("look %d is another's too: %s", i, s)
			}
			seen = append(seen, s)
		}
	}
	if first, again := fmt.Sprint(LookOf(0)), fmt.Sprint(LookOf(Looks)); first != again {
		t.Errorf("look %d is new: %s", Looks, again)
	}
	for i := range len(palette()) - 1 {
		a, b := LookOf(i), LookOf(i+1)
		if a.Hatch == b.Hatch || a.Mark == b.Mark || slices.Equal(a.Dashes, b.Dashes) {
			t.Errorf("looks %d and %d differ only in colour", i, i+1)
		}
	}
	if d := lightness(LookOf(1).Ink) - lightness(LookOf(0).Ink); d < 0.15 {
		t.Errorf("the first two looks are alike in grey: %g", d)
	}
}

func TestShadeGetsDarker(t *testing.T) {
	last := 2.0
	for i := range 101 {
		l := lightness(Shade(float64(i) / 100))
		if l > last {
			t.Errorf("lighter at %d %%", i)
		}
		last = l
	}
}
