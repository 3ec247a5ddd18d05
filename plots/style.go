package plots

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	black = color.NRGBA{A: 255}
	white = color.NRGBA{R: 255, G: 255, B: 255, A: 255}
	soft  = color.NRGBA{R: 0x60, G: 0x60, B: 0x60, A: 255} // text beside the point
	faint = color.NRGBA{R: 0xe4, G: 0xe4, B: 0xe4, A: 255} // grid lines
)

// look is how an arm is told from the others: by colour for most people, by
// hatch, marker and dashes for all.
type look struct {
	ink    color.NRGBA
	hatch  hatch
	mark   mark
	dashes []vg.Length
}

// palette holds the colours of Okabe and Ito, which the colour-blind can tell
// apart, in an order in which neighbours differ in lightness too.
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

// lookOf is the look of the i-th arm. After the eighth the colours come again
// with other hatches, markers and dashes.
func lookOf(i int) look {
	colours := palette()
	turn := i + i/len(colours)
	dashes := [][]vg.Length{nil, {6, 3}, {1.5, 2}, {8, 2, 1.5, 2}, {3, 1.5}, {10, 3}, {6, 2, 1.5, 2, 1.5, 2}, {1, 4}}
	return look{colours[i%len(colours)], hatch(turn % int(hatches)), mark(turn % int(marks)), dashes[turn%len(dashes)]}
}

// stroke draws a line in a look; one too light for white paper gets edges.
func (l look) stroke(c draw.Canvas, width vg.Length, pts ...vg.Point) {
	if lightness(l.ink) > 0.85 {
		stroke(c, draw.LineStyle{Color: black, Width: width + 0.6, Dashes: l.dashes}, pts...)
	}
	stroke(c, draw.LineStyle{Color: l.ink, Width: width, Dashes: l.dashes}, pts...)
}

// tint is ink with some of its way to white.
func tint(ink color.NRGBA, towards float64) color.NRGBA {
	mix := func(v uint8) uint8 { return uint8(math.Round(float64(v) + (255-float64(v))*towards)) }
	return color.NRGBA{mix(ink.R), mix(ink.G), mix(ink.B), ink.A}
}

// lightness is how light a colour looks, from 0 to 1: the grey it prints as.
func lightness(c color.NRGBA) float64 {
	linear := func(v uint8) float64 { return math.Pow(float64(v)/255, 2.2) }
	return math.Cbrt(0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B))
}

// over is the colour, black or white, that can be read on c.
func over(c color.NRGBA) color.NRGBA {
	if lightness(c) < 0.65 {
		return white
	}
	return black
}

type hatch int

const (
	plain hatch = iota
	rising
	falling
	crossed
	upright
	level
	grid
	dense
	hatches
)

// filled draws a rectangle in a look, with a thin edge.
func filled(c draw.Canvas, r vg.Rectangle, ink color.NRGBA, h hatch) {
	if r.Max.X <= r.Min.X || r.Max.Y <= r.Min.Y {
		return
	}
	c.SetColor(ink)
	c.Fill(r.Path())
	hatched(c, r, over(ink), h)
	stroke(c, draw.LineStyle{Color: black, Width: 0.4}, corners(r)...)
}

// hatched draws the lines of h inside r. They start from the page's corner, so
// that neighbouring rectangles do not show a seam.
func hatched(c draw.Canvas, r vg.Rectangle, ink color.NRGBA, h hatch) {
	inside := draw.Canvas{Canvas: c.Canvas, Rectangle: r}
	style := draw.LineStyle{Color: ink, Width: 0.6}
	lines := func(dx, dy, gap float64) {
		// The lines' normal is (-dy, dx); each is at a multiple of gap along it.
		far := math.Inf(1)
		near := math.Inf(-1)
		for _, p := range corners(r) {
			d := -dy*float64(p.X) + dx*float64(p.Y)
			far, near = math.Min(far, d), math.Max(near, d)
		}
		reach := vg.Length(math.Hypot(float64(r.Size().X), float64(r.Size().Y)))
		middle := vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}
		at := -dy*float64(middle.X) + dx*float64(middle.Y)
		for d := math.Ceil(far/gap) * gap; d <= near; d += gap {
			foot := vg.Point{X: middle.X - vg.Length((d-at)*dy), Y: middle.Y + vg.Length((d-at)*dx)}
			along := vg.Point{X: vg.Length(dx) * reach, Y: vg.Length(dy) * reach}
			for _, l := range inside.ClipLinesXY([]vg.Point{foot.Sub(along), foot.Add(along)}) {
				stroke(c, style, l...)
			}
		}
	}
	const slope = math.Sqrt2 / 2
	switch h {
	case rising:
		lines(slope, slope, 3.5)
	case falling:
		lines(slope, -slope, 3.5)
	case crossed:
		lines(slope, slope, 4.5)
		lines(slope, -slope, 4.5)
	case upright:
		lines(0, 1, 3)
	case level:
		lines(1, 0, 2.5)
	case grid:
		lines(0, 1, 4)
		lines(1, 0, 4)
	case dense:
		lines(slope, slope, 1.8)
	}
}

func corners(r vg.Rectangle) []vg.Point {
	return []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}, r.Min}
}

// stroke draws a line through points.
func stroke(c draw.Canvas, style draw.LineStyle, pts ...vg.Point) {
	c.StrokeLines(style, pts)
}

type mark int

const (
	disc mark = iota
	square
	triangle
	diamond
	wedge
	saltire
	plus
	star
	marks
)

// stamper is a canvas that draws the same thing at many points for little.
type stamper interface {
	stamp(name string, pt vg.Point, paint func())
}

// draw draws a marker of radius r, filled with ink and edged in black, so that
// light ones show on white.
func (m mark) draw(c draw.Canvas, pt vg.Point, r vg.Length, ink color.NRGBA) {
	if s, ok := c.Canvas.(stamper); ok {
		s.stamp(fmt.Sprint(m, r, ink), pt, func() { m.shape(c, vg.Point{}, r, ink) })
		return
	}
	m.shape(c, pt, r, ink)
}

func (m mark) shape(c draw.Canvas, pt vg.Point, r vg.Length, ink color.NRGBA) {
	var path vg.Path
	turn := func(corners int, first float64, radii ...vg.Length) {
		for i := range corners {
			sin, cos := math.Sincos(first + 2*math.Pi*float64(i)/float64(corners))
			p := vg.Point{X: pt.X + radii[i%len(radii)]*vg.Length(cos), Y: pt.Y + radii[i%len(radii)]*vg.Length(sin)}
			if i == 0 {
				path.Move(p)
			} else {
				path.Line(p)
			}
		}
		path.Close()
	}
	switch m {
	case disc:
		path.Move(vg.Point{X: pt.X + r, Y: pt.Y})
		path.Arc(pt, r, 0, 2*math.Pi)
		path.Close()
	case square:
		turn(4, math.Pi/4, r*1.2)
	case triangle:
		turn(3, math.Pi/2, r*1.3)
	case diamond:
		turn(4, 0, r*1.25)
	case wedge:
		turn(3, -math.Pi/2, r*1.3)
	case saltire:
		turn(8, 0, r*0.45, r*1.3)
	case plus:
		turn(8, math.Pi/4, r*0.45, r*1.3)
	case star:
		turn(10, math.Pi/2, r*1.4, r*0.6)
	}
	c.SetColor(ink)
	c.Fill(path)
	c.SetLineStyle(draw.LineStyle{Color: black, Width: 0.4})
	c.Stroke(path)
}

// whisker draws an interval along x with caps.
func whisker(c draw.Canvas, low, high, y, cap vg.Length) {
	style := draw.LineStyle{Color: black, Width: 0.8}
	stroke(c, style, vg.Point{X: low, Y: y}, vg.Point{X: high, Y: y})
	for _, x := range []vg.Length{low, high} {
		stroke(c, style, vg.Point{X: x, Y: y - cap}, vg.Point{X: x, Y: y + cap})
	}
}

// arrow draws an arrow along x, its head at to.
func arrow(c draw.Canvas, from, to, y vg.Length) {
	head := vg.Length(4)
	if to < from {
		head = -head
	}
	stroke(c, draw.LineStyle{Color: black, Width: 0.8}, vg.Point{X: from, Y: y}, vg.Point{X: to - head/2, Y: y})
	c.FillPolygon(black, []vg.Point{{X: to, Y: y}, {X: to - head, Y: y + 1.8}, {X: to - head, Y: y - 1.8}})
}
