package chart

import (
	"math"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"

	"github.com/sllmq/sllmq/plots/canvas"
)

// Axis maps values to places along a side of a panel. It is labelled with ticks, or
// with names instead of numbers.
type Axis struct {
	Label     string
	Low, High float64 // the values at its ends; Low may be the larger one
	log       bool
	Ticks     Ticker
	GridLines bool // across the panel, at labelled ticks

	Names  []Tick // instead of Ticks
	Groups []Tick // what the names belong to, further out; y only
}

// part is how far along the axis v lies: 0 at Low, 1 at High.
func (a Axis) part(v float64) float64 {
	if a.log {
		return (math.Log(v) - math.Log(a.Low)) / (math.Log(a.High) - math.Log(a.Low))
	}
	return (v - a.Low) / (a.High - a.Low)
}

// FromZero is a linear axis from zero to just above highest, labelled with what it
// shows and the unit.
func FromZero(label string, u Unit, highest float64) Axis {
	if highest == 0 {
		highest = u.Size
	}
	return Axis{Label: u.label(label), High: highest * 1.05, Ticks: LinearTicks(u), GridLines: true}
}

// Around is a linear axis for values from lowest to highest. It starts at zero,
// unless all values lie far from it. pick chooses the unit for the highest value.
func Around(label string, pick func(float64) Unit, lowest, highest float64) Axis {
	u := pick(highest)
	a := FromZero(label, u, highest)
	if lowest > highest/2 {
		room := math.Max((highest-lowest)*0.12, highest*0.02)
		a.Low, a.High = math.Max(0, lowest-room), highest+room
	}
	return a
}

// LogAround is a logarithmic axis for positive values from lowest to highest,
// widened to numbers that begin with 1, 2 or 5. text labels a value with its unit.
func LogAround(label string, text func(float64) string, lowest, highest float64) Axis {
	return Axis{Label: label, Low: 1 / stepFor(1.1/lowest), High: stepFor(highest * 1.1), log: true, Ticks: logTicks(text), GridLines: true}
}

// NeedsLog reports whether values lie so far apart that the smallest would vanish on
// a linear axis.
func NeedsLog(lowest, highest float64) bool { return lowest > 0 && highest > 40*lowest }

// along chooses ticks for an axis of a length: at most one label per every, and no
// two closer than gap. size is the length that a label takes along the axis.
func (a Axis) along(length, every vg.Length, size func(string) vg.Length, gap vg.Length) []Tick {
	if a.Ticks == nil {
		return nil
	}
	for n := max(2, int(length/every)); n > 0; n-- {
		chosen := a.Ticks(a.Low, a.High, n)
		end, fits := vg.Length(math.Inf(-1)), true
		for _, t := range chosen {
			if t.Label == "" {
				continue
			}
			at := vg.Length(a.part(t.Value)) * length
			half := size(t.Label) / 2
			fits = fits && at-half >= end+gap
			end = at + half
		}
		if fits || n == 1 {
			return chosen
		}
	}
	return nil
}

// widest is the width of the widest label.
func widest(f *font.Face, ticks []Tick) vg.Length {
	var w vg.Length
	for _, t := range ticks {
		w = max(w, f.Width(t.Label))
	}
	return w
}

// shortened are ticks whose labels are cut to width.
func shortened(f *font.Face, ticks []Tick, width vg.Length) []Tick {
	names := make([]string, len(ticks))
	for i, t := range ticks {
		names[i] = canvas.Printable(t.Label)
	}
	short := make([]Tick, len(ticks))
	for i, s := range canvas.ShortenAll(f, names, width) {
		short[i] = Tick{ticks[i].Value, s}
	}
	return short
}
