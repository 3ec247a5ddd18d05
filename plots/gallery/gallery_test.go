package gallery

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/warehouse/record"
)

func TestTheBaselineIsWhatPeopleLoadWith(t *testing.T) {
	mmap := record.Arm{Format: "safetensors", Loader: "mmap"}
	arms := []record.Arm{{Format: "safetensors", Loader: "direct"}, {Format: "safetensors", Loader: "raw"}, mmap, {Format: "sllm", Loader: "pool"}}
	if got := Baseline(arms); got != mmap {
		t.Errorf("baseline %v, want %v", got, mmap)
	}
	if got := Baseline(arms[3:]); got != (record.Arm{}) {
		t.Errorf("baseline %v, want none", got)
	}
}

// A filter changes what is drawn, but not how.
func TestAFilterKeepsLooks(t *testing.T) {
	db := made(t)
	for _, kind := range []string{"bars", "ecdf", "box", "efficiency", "size"} {
		for i, loader := range loaders {
			picture := drawn(t, db, kind, "svg", queries.Filter{Where: "machine = 'fast' AND loader = '" + loader + "'"})
			for other := range loaders {
				ink := chart.LookOf(other).Ink
				if kind == "box" {
					ink = chart.Tint(ink, 0.35)
				}
				if has := strings.Contains(picture, fmt.Sprintf(`fill="#%02x%02x%02x"`, ink.R, ink.G, ink.B)); has != (other == i) {
					t.Errorf("%s of %s: the colour of %s is there: %t", kind, loader, loaders[other], has)
				}
			}
		}
	}
}

// Each machine has its own roofline.
func TestRooflinesOfTwoMachines(t *testing.T) {
	db := made(t)
	picture := drawn(t, db, "size", "csv", queries.Filter{})
	for _, want := range []string{"roofline,fast,,storage read,,,8e+09\n", "roofline,slow,,storage read,,,1e+09\n"} {
		if !strings.Contains(picture, want) {
			t.Errorf("no line %q in\n%s", want, picture)
		}
	}
	if picture := drawn(t, db, "size", "csv", queries.Filter{Where: "machine = 'slow'"}); strings.Contains(picture, "fast") {
		t.Errorf("loads of one machine have another's roofline:\n%s", picture)
	}
}

// The last stage of loads ends with them, at the medians too: the median start plus the
// median duration would be another time.
func TestStagesEndWithTheLoad(t *testing.T) {
	picture := drawn(t, made(t), "stages", "csv", queries.Filter{Where: "machine = 'fast' AND loader = 'mmap'"})
	if want := "m,SafeTensors,2.4375,copy,0.125,2.4375\n"; !strings.Contains(picture, want) {
		t.Errorf("no line %q in\n%s", want, picture)
	}
}

// Bars have an interval of the median if there are enough sessions, or enough loads of
// the only one, and the picture says which it is.
func TestBarsHaveIntervals(t *testing.T) {
	db := made(t)
	f := queries.Filter{Where: "machine = 'fast'"}
	picture := drawn(t, db, "bars", "csv", f)
	for _, want := range []string{
		"m,SafeTensors mmap,2.4375,2.4375,2,2.875,8\n", // 8 loads: the order statistics 1 and 8
		"m,SafeTensors tiered,4.4375,4.4375,,,8\n",     // 2 sessions
	} {
		if !strings.Contains(picture, want) {
			t.Errorf("no line %q in\n%s", want, picture)
		}
	}
	picture = drawn(t, db, "bars", "svg", f)
	for _, want := range []string{
		"24 loads on fast; whiskers: 95 % confidence intervals of the medians",
		"The interval of an arm with one session leaves out how sessions differ.",
		"1 of 3 arms have no interval: it needs at least 6 sessions, or 6 loads if there is one session.",
	} {
		if !strings.Contains(picture, ">"+want+"<") {
			t.Errorf("no text %q", want)
		}
	}
	picture = drawn(t, db, "bars", "svg", queries.Filter{Where: "machine = 'fast' AND loader = 'tiered'"})
	if strings.Contains(picture, "whiskers") {
		t.Error("a picture without whiskers explains them")
	}
}
