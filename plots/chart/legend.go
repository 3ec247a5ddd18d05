package chart

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Key is an entry of the legend: a label, and what is drawn in the rectangle
// beside it.
type Key struct {
	Label string
	Draw  func(c draw.Canvas, r vg.Rectangle)
}

// SwatchKey shows a look as a filled box.
func SwatchKey(label string, l Look) Key {
	return Key{label, func(c draw.Canvas, r vg.Rectangle) { FillBox(c, r, l.Ink, l.Hatch) }}
}

// DotKey shows a look as a marker.
func DotKey(label string, l Look) Key { return MarkKey(label, l.Mark, 3, l.Ink) }

// MarkKey shows a marker of a radius.
func MarkKey(label string, m Mark, radius vg.Length, ink color.NRGBA) Key {
	return Key{label, func(c draw.Canvas, r vg.Rectangle) { m.Draw(c, centre(r), radius, ink) }}
}

// LineKey shows a look as a line with a marker.
func LineKey(label string, l Look) Key {
	return Key{label, func(c draw.Canvas, r vg.Rectangle) {
		y := centre(r).Y
		l.Stroke(c, 1.4, vg.Point{X: r.Min.X, Y: y}, vg.Point{X: r.Max.X, Y: y})
		l.Mark.Draw(c, centre(r), 3, l.Ink)
	}}
}

// RuleKey shows an upright line, drawn in each style in turn.
func RuleKey(label string, styles ...draw.LineStyle) Key {
	return Key{label, func(c draw.Canvas, r vg.Rectangle) {
		x := centre(r).X
		for _, style := range styles {
			Stroke(c, style, vg.Point{X: x, Y: r.Min.Y}, vg.Point{X: x, Y: r.Max.Y})
		}
	}}
}

func centre(r vg.Rectangle) vg.Point {
	return vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}
}
