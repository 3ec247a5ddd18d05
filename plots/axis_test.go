package plots

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot/vg"
)

func labelsOf(ticks []tick) string {
	var all []string
	for _, t := range ticks {
		if t.label != "" {
			all = append(all, t.label)
		}
	}
	return strings.Join(all, " ")
}

func TestTicks(t *testing.T) {
	at := func(s string) float64 {
		v, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return seconds(v)
	}
	for want, got := range map[string][]tick{
		"0 2 4 6 8 10":                  linearTicks(unit{size: 1})(0, 10.4, 6),
		"0 100 200":                     linearTicks(unit{"ms", 1e-3})(0, 0.29, 4),
		"0.00 0.05 0.10":                linearTicks(unit{size: 1})(0, 0.12, 3),
		"1.95 2.00 2.05":                linearTicks(unit{size: 1})(1.93, 2.07, 4),
		"1 ms 10 ms 100 ms 1 s 10 s":    logTicks(timeTick)(0.001, 20, 5),
		"1 s 2 s 3 s 5 s 10 s":          logTicks(timeTick)(1, 10, 6),
		"1 MB 100 MB 10 GB 1 TB":        logTicks(bytesTick)(1e6, 2e12, 4),
		"01-05 01-12 01-19":             timeTicks(at("2026-01-01 00:00"), at("2026-01-20 00:00"), 4), // Mondays
		"06:00 06:15 06:30 06:45 07:00": timeTicks(at("2026-01-01 06:00"), at("2026-01-01 07:00"), 6),
		"2025-11 2025-12 2026-01":       timeTicks(at("2025-10-20 00:00"), at("2026-01-20 00:00"), 5),
		"2000 2010 2020":                timeTicks(at("1999-01-01 00:00"), at("2024-01-01 00:00"), 4),
	} {
		if labelsOf(got) != want {
			t.Errorf("ticks %q, want %q", labelsOf(got), want)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for got, want := range map[string]string{
		timeText(0): "0 s", timeText(0.0042): "4.20 ms", timeText(61.234): "61.2 s", timeText(3.2e-8): "32.0 ns", timeText(0.9996): "1000 ms",
		rateText(7.4e9): "7.40 GB/s", rateText(0): "0 GB/s", timeTick(1): "1 s", timeTick(2e-5): "20 µs", bytesTick(5e8): "500 MB",
		ratio(3.096): "3.10×", ratio(0.5): "0.50×", ratio(42): "42.0×", ratio(1234): "1234×", ratio(0.056): "0.056×",
		binary(4096): "4K", binary(1 << 20): "1M", binary(3 << 29): "1.5G", binary(7): "7", digits(0.99999): "1.00", digits(1e-9): "1e-09",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNamesAreShortenedInTheMiddleAndKeptApart(t *testing.T) {
	f := regular(8)
	names := []string{"organisation/model-one-7b-instruct", "organisation/model-two-7b-instruct", "short", "organisation/model-one-7b-instruct"}
	short := shortenAll(f, names, 60)
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
	if got := shorten(f, strings.Repeat("x", 1<<16), 40); f.Width(got) > 40 {
		t.Errorf("%q is too wide", got)
	}
}

// Arms differ in more than colour, and neighbours also in grey.
func TestLooksDiffer(t *testing.T) {
	var seen []string
	for i := range 40 {
		l := lookOf(i)
		for _, s := range []string{hex(l.ink) + " hatch " + itoa(int(l.hatch)), hex(l.ink) + " mark " + itoa(int(l.mark))} {
			if slices.Contains(seen, s) {
				t.Errorf("arm %d looks like another: %s", i, s)
			}
			seen = append(seen, s)
		}
	}
	for i := range len(palette()) - 1 {
		a, b := lookOf(i), lookOf(i+1)
		if a.hatch == b.hatch || a.mark == b.mark || slices.Equal(a.dashes, b.dashes) {
			t.Errorf("arms %d and %d differ by colour alone", i, i+1)
		}
	}
	if d := lightness(lookOf(1).ink) - lightness(lookOf(0).ink); d < 0.15 {
		t.Errorf("the first two arms are alike in grey: %g", d)
	}
}

// The scale of a heat map only ever gets darker, so that it prints in grey.
func TestHeatGetsDarker(t *testing.T) {
	m := heatMap{high: 1}
	last := 2.0
	for i := range 101 {
		l := lightness(m.colour(float64(i) / 100))
		if l > last {
			t.Errorf("lighter at %d %%", i)
		}
		last = l
	}
}

// An arc comes out as the circle that it is.
func TestArcsAreRound(t *testing.T) {
	var path vg.Path
	path.Arc(vg.Point{X: 3, Y: 4}, 2, 0.3, 6.283185307179586)
	all := curves(path[0])
	if len(all) != 4 {
		t.Fatalf("%d curves", len(all))
	}
	for _, c := range all {
		for i := range 11 {
			s := vg.Length(i) / 10
			u := 1 - s
			x := u*u*u*c[0].X + 3*u*u*s*c[1].X + 3*u*s*s*c[2].X + s*s*s*c[3].X - 3
			y := u*u*u*c[0].Y + 3*u*u*s*c[1].Y + 3*u*s*s*c[2].Y + s*s*s*c[3].Y - 4
			if r := x*x + y*y; r < 3.995 || r > 4.005 {
				t.Errorf("a point at %g of the centre, want 2", r)
			}
		}
	}
}

// One number is no scale: wherever there is room for two labels, there are two.
func TestAnAxisHasTwoNumbers(t *testing.T) {
	for high := 0.011; high < 2000; high *= 1.07 {
		a := axis{high: high, ticks: linearTicks(unit{size: 1})}
		labels := 0
		for _, tick := range a.along(46, 20, func(string) vg.Length { return tickSize }, 6) {
			if tick.label != "" {
				labels++
			}
		}
		if labels < 2 {
			t.Errorf("%d labels up to %g", labels, high)
		}
	}
}
