package chart

import (
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot/vg"
)

func labelsOf(ticks []Tick) string {
	var all []string
	for _, t := range ticks {
		if t.Label != "" {
			all = append(all, t.Label)
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
		return float64(v.Unix())
	}
	for want, got := range map[string][]Tick{
		"0 2 4 6 8 10":                  LinearTicks(Unit{Size: 1})(0, 10.4, 6),
		"0 100 200":                     LinearTicks(Unit{"ms", 1e-3})(0, 0.29, 4),
		"0.00 0.05 0.10":                LinearTicks(Unit{Size: 1})(0, 0.12, 3),
		"1.95 2.00 2.05":                LinearTicks(Unit{Size: 1})(1.93, 2.07, 4),
		"1 ms 10 ms 100 ms 1 s 10 s":    logTicks(TimeTick)(0.001, 20, 5),
		"1 s 2 s 3 s 5 s 10 s":          logTicks(TimeTick)(1, 10, 6),
		"1 MB 100 MB 10 GB 1 TB":        logTicks(BytesTick)(1e6, 2e12, 4),
		"01-05 01-12 01-19":             TimeTicks(at("2026-01-01 00:00"), at("2026-01-20 00:00"), 4), // Mondays
		"06:00 06:15 06:30 06:45 07:00": TimeTicks(at("2026-01-01 06:00"), at("2026-01-01 07:00"), 6),
		"2025-11 2025-12 2026-01":       TimeTicks(at("2025-10-20 00:00"), at("2026-01-20 00:00"), 5),
		"2000 2010 2020":                TimeTicks(at("1999-01-01 00:00"), at("2024-01-01 00:00"), 4),
	} {
		if labelsOf(got) != want {
			t.Errorf("ticks %q, want %q", labelsOf(got), want)
		}
	}
}

// One number is not a scale: if there is room for two labels, there are two.
func TestAnAxisHasTwoNumbers(t *testing.T) {
	for high := 0.011; high < 2000; high *= 1.07 {
		a := Axis{High: high, Ticks: LinearTicks(Unit{Size: 1})}
		labels := 0
		for _, tick := range a.along(46, 20, func(string) vg.Length { return TickSize }, 6) {
			if tick.Label != "" {
				labels++
			}
		}
		if labels < 2 {
			t.Errorf("%d labels up to %g", labels, high)
		}
	}
}
