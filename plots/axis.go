package plots

import (
	"math"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// axis maps values to places, and says so at its side. One with names has those
// beside it in place of numbers.
type axis struct {
	label     string
	low, high float64 // high may be the smaller: then it runs downwards
	log       bool
	ticks     ticker
	lines     bool // across the panel, at the labelled ticks

	names  []tick // where things with names stand
	groups []tick // what the names belong to, further out
}

// part is how far along the axis v lies, from 0 to 1.
func (a axis) part(v float64) float64 {
	if a.log {
		return (math.Log(v) - math.Log(a.low)) / (math.Log(a.high) - math.Log(a.low))
	}
	return (v - a.low) / (a.high - a.low)
}

// from0 is an axis from zero to a little beyond the highest value.
func from0(label string, u unit, highest float64) axis {
	if highest == 0 {
		highest = u.size
	}
	return axis{label: u.label(label), high: highest * 1.05, ticks: linearTicks(u), lines: true}
}

// around is an axis about values: from zero, unless they would crowd far from
// it.
func around(label string, pick func(float64) unit, lowest, highest float64) axis {
	u := pick(highest)
	a := from0(label, u, highest)
	if lowest > highest/2 {
		room := math.Max((highest-lowest)*0.12, highest*0.02)
		a.low, a.high = math.Max(0, lowest-room), highest+room
	}
	return a
}

// logAround is a logarithmic axis about values over zero, widened to the next
// number that begins with 1, 2 or 5.
func logAround(label string, text func(float64) string, lowest, highest float64) axis {
	return axis{label: label, low: 1 / stepFor(1.1/lowest), high: stepFor(highest * 1.1), log: true, ticks: logTicks(text), lines: true}
}

// spread tells whether values are so far apart that the small ones would vanish
// on a linear axis.
func spread(lowest, highest float64) bool { return lowest > 0 && highest > 40*lowest }

// along chooses ticks for an axis of a length, one every so often at most, so
// that no two labels come closer than apart; size is the room that a label takes
// along the axis.
func (a axis) along(length, every vg.Length, size func(string) vg.Length, apart vg.Length) []tick {
	if a.ticks == nil {
		return nil
	}
	for n := max(2, int(length/every)); n > 0; n-- {
		chosen := a.ticks(a.low, a.high, n)
		end, fits := vg.Length(math.Inf(-1)), true
		for _, t := range chosen {
			if t.label == "" {
				continue
			}
			at := vg.Length(a.part(t.value)) * length
			half := size(t.label) / 2
			fits = fits && at-half >= end+apart
			end = at + half
		}
		if fits || n == 1 {
			return chosen
		}
	}
	return nil
}

// widest is the width of the widest label.
func widest(f *font.Face, ticks []tick) vg.Length {
	var w vg.Length
	for _, t := range ticks {
		w = max(w, f.Width(t.label))
	}
	return w
}

// shortened are the ticks with labels of at most width.
func shortened(f *font.Face, ticks []tick, width vg.Length) []tick {
	names := make([]string, len(ticks))
	for i, t := range ticks {
		names[i] = printable(t.label)
	}
	short := make([]tick, len(ticks))
	for i, s := range shortenAll(f, names, width) {
		short[i] = tick{ticks[i].value, s}
	}
	return short
}
