package chart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Hatch is a pattern of lines.
type Hatch int

const (
	Plain Hatch = iota
	Rising
	Falling
	Crossed
	Upright
	Level
	Grid
	Dense
	hatches // how many there are
)

// FillBox draws a rectangle filled with ink and hatched, with a thin black edge.
// It draws nothing if r is empty.
func FillBox(c draw.Canvas, r vg.Rectangle, ink color.NRGBA, h Hatch) {
	if r.Max.X <= r.Min.X || r.Max.Y <= r.Min.Y {
		return
	}
	c.SetColor(ink)
	c.Fill(r.Path())
	HatchBox(c, r, Readable(ink), h)
	Stroke(c, draw.LineStyle{Color: Black, Width: 0.4}, Corners(r)...)
}

// HatchBox draws the lines of h inside r. Lines are placed relative to the page, so
// that there is no seam between neighbouring rectangles.
func HatchBox(c draw.Canvas, r vg.Rectangle, ink color.NRGBA, h Hatch) {
	inside := draw.Canvas{Canvas: c.Canvas, Rectangle: r}
	style := draw.LineStyle{Color: ink, Width: 0.6}
	lines := func(dx, dy, gap float64) {
		// The lines' normal is (-dy, dx); each is at a multiple of gap along it.
		first, last := math.Inf(1), math.Inf(-1)
		for _, p := range Corners(r) {
			d := -dy*float64(p.X) + dx*float64(p.Y)
			first, last = math.Min(first, d), math.Max(last, d)
		}
		reach := vg.Length(math.Hypot(float64(r.Size().X), float64(r.Size().Y)))
		middle := centre(r)
		at := -dy*float64(middle.X) + dx*float64(middle.Y)
		for d := math.Ceil(first/gap) * gap; d <= last; d += gap {
			foot := vg.Point{X: middle.X - vg.Length((d-at)*dy), Y: middle.Y + vg.Length((d-at)*dx)}
			along := vg.Point{X: vg.Length(dx) * reach, Y: vg.Length(dy) * reach}
			for _, l := range inside.ClipLinesXY([]vg.Point{foot.Sub(along), foot.Add(along)}) {
				Stroke(c, style, l...)
			}
		}
	}
	const slope = math.Sqrt2 / 2
	switch h {
	case Rising:
		lines(slope, slope, 3.5)
	case Falling:
		lines(slope, -slope, 3.5)
	case Crossed:
		lines(slope, slope, 4.5)
		lines(slope, -slope, 4.5)
	case Upright:
		lines(0, 1, 3)
	case Level:
		lines(1, 0, 2.5)
	case Grid:
		lines(0, 1, 4)
		lines(1, 0, 4)
	case Dense:
		lines(slope, slope, 1.8)
	}
}

// Corners are the corners of r and the first one again: a closed line.
func Corners(r vg.Rectangle) []vg.Point {
	return []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}, r.Min}
}
