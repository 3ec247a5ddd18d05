package chart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours of everything but data.
var (
	Black = color.NRGBA{A: 255}
	White = color.NRGBA{R: 255, G: 255, B: 255, A: 255}
	Soft  = color.NRGBA{R: 0x60, G: 0x60, B: 0x60, A: 255} // secondary text
	Faint = color.NRGBA{R: 0xe4, G: 0xe4, B: 0xe4, A: 255} // grid lines
)

// Sizes of text in points.
const (
	titleSize = 11
	labelSize = 9
	TickSize  = 8
	SmallSize = 7
)

// Look sets a series apart from the others: by colour, and by hatch, marker or
// dashes where colours cannot be seen.
type Look struct {
	Ink    color.NRGBA
	Hatch  Hatch
	Mark   Mark
	Dashes []vg.Length
}

// palette holds the colours of Okabe and Ito, which colour-blind readers can tell
// apart, in an order in which neighbours also differ in lightness.
// See https://jfly.uni-koeln.de/color/.
func palette() []color.NRGBA {
	return []color.NRGBA{
		{0x00, 0x72, 0xb2, 255}, // blue
		{0xe6, 0x9f, 0x00, 255}, // orange
		{0x00, 0x9e, 0x73, 255}, // green
		{0x56, 0xb4, 0xe9, 255}, // sky
		{0xd5, 0x5e, 0x00, 255}, // vermilion
		{0xf0, 0xe4, 0x42, 255}, // yellow
		{0x55, 0x55, 0x55, 255}, // grey
		{0xcc, 0x79, 0xa7, 255}, // purple
	}
}

// Looks is how many different looks there are.
const Looks = 64

// LookOf is a look by its number, from 0. From the ninth on the colours repeat, with
// other hatches, markers and dashes. From number Looks on, looks repeat.
func LookOf(i int) Look {
	colours := palette()
	turn := i + i/len(colours)
	dashes := [][]vg.Length{nil, {6, 3}, {1.5, 2}, {8, 2, 1.5, 2}, {3, 1.5}, {10, 3}, {6, 2, 1.5, 2, 1.5, 2}, {1, 4}}
	return Look{colours[i%len(colours)], Hatch(turn % int(hatches)), Mark(turn % int(marks)), dashes[turn%len(dashes)]}
}

// Stroke draws a line. Colours too light for white paper get a black edge.
func (l Look) Stroke(c draw.Canvas, width vg.Length, pts ...vg.Point) {
	if lightness(l.Ink) > 0.85 {
		Stroke(c, draw.LineStyle{Color: Black, Width: width + 0.6, Dashes: l.Dashes}, pts...)
	}
	Stroke(c, draw.LineStyle{Color: l.Ink, Width: width, Dashes: l.Dashes}, pts...)
}

// Tint moves ink towards white: 0 is ink, 1 is white.
func Tint(ink color.NRGBA, share float64) color.NRGBA {
	mix := func(v uint8) uint8 { return uint8(math.Round(float64(v) + (255-float64(v))*share)) }
	return color.NRGBA{mix(ink.R), mix(ink.G), mix(ink.B), ink.A}
}

// Shade is a scale of colours from near white at 0 over blue to near black at 1. It
// only gets darker, so that it can be read in grey.
func Shade(t float64) color.NRGBA {
	stops := []color.NRGBA{{0xf0, 0xf6, 0xfb, 255}, {0x6b, 0xae, 0xd6, 255}, {0x00, 0x72, 0xb2, 255}, {0x00, 0x2a, 0x4e, 255}}
	at := t * float64(len(stops)-1)
	i := min(int(at), len(stops)-2)
	mix := func(a, b uint8) uint8 {
		return uint8(math.Round(float64(a) + (float64(b)-float64(a))*(at-float64(i))))
	}
	a, b := stops[i], stops[i+1]
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

// lightness is how light a colour looks, from 0 to 1: the grey that it prints as.
func lightness(c color.NRGBA) float64 {
	linear := func(v uint8) float64 { return math.Pow(float64(v)/255, 2.2) }
	return math.Cbrt(0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B))
}

// Readable is black or white, whichever can be read on c.
func Readable(c color.NRGBA) color.NRGBA {
	if lightness(c) < 0.65 {
		return White
	}
	return Black
}

// Stroke draws a line through points.
func Stroke(c draw.Canvas, style draw.LineStyle, pts ...vg.Point) {
	c.StrokeLines(style, pts)
}

// Whisker draws an interval along x, with caps that reach half above and below y. It is
// black on white, which shows on every colour.
func Whisker(c draw.Canvas, low, high, y, half vg.Length) {
	for _, style := range []draw.LineStyle{{Color: White, Width: 2.2}, {Color: Black, Width: 0.9}} {
		Stroke(c, style, vg.Point{X: low, Y: y}, vg.Point{X: high, Y: y})
		for _, x := range []vg.Length{low, high} {
			Stroke(c, style, vg.Point{X: x, Y: y - half}, vg.Point{X: x, Y: y + half})
		}
	}
}

// Arrow draws an arrow along x with its head at to.
func Arrow(c draw.Canvas, from, to, y vg.Length) {
	head := vg.Length(4)
	if to < from {
		head = -head
	}
	Stroke(c, draw.LineStyle{Color: Black, Width: 0.8}, vg.Point{X: from, Y: y}, vg.Point{X: to - head/2, Y: y})
	c.FillPolygon(Black, []vg.Point{{X: to, Y: y}, {X: to - head, Y: y + 1.8}, {X: to - head, Y: y - 1.8}})
}
