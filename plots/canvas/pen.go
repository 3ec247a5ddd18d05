package canvas

import (
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// pen holds the state of a canvas between strokes: the part of vg.Canvas that SVG
// and PDF share. It maps the drawing, whose y grows upwards from the bottom left,
// to a page whose y grows downwards from the top left.
type pen struct {
	width, height vg.Length // of the page
	state         brush
	stack         []brush
}

type brush struct {
	ink    color.Color
	width  vg.Length
	dashes []vg.Length
	offset vg.Length
	to     affine
}

func newPen(width, height vg.Length) pen {
	upright := affine{xx: 1, yy: -1, y: float64(height)}
	return pen{width: width, height: height, state: brush{ink: color.Black, width: 1, to: upright}}
}

func (c *pen) Size() (width, height vg.Length) { return c.width, c.height }
func (c *pen) SetLineWidth(w vg.Length)        { c.state.width = w }
func (c *pen) SetColor(ink color.Color)        { c.state.ink = ink }
func (c *pen) Push()                           { c.stack = append(c.stack, c.state) }

func (c *pen) SetLineDash(dashes []vg.Length, offset vg.Length) {
	c.state.dashes, c.state.offset = dashes, offset
}

func (c *pen) Pop() {
	c.state, c.stack = c.stack[len(c.stack)-1], c.stack[:len(c.stack)-1]
}

func (c *pen) Rotate(angle float64) {
	sin, cos := math.Sincos(angle)
	c.state.to = c.state.to.after(affine{xx: cos, xy: -sin, yx: sin, yy: cos})
}

func (c *pen) Translate(pt vg.Point) { c.state.to = c.state.to.translated(pt) }

func (c *pen) Scale(x, y float64) { c.state.to = c.state.to.after(affine{xx: x, yy: y}) }

// DrawImage completes vg.Canvas.
func (c *pen) DrawImage(vg.Rectangle, image.Image) { panic("canvas: images are not supported") }

// affine is an affine transformation of points.
type affine struct{ xx, xy, yx, yy, x, y float64 }

// apply maps a point.
func (a affine) apply(p vg.Point) (x, y float64) {
	return a.xx*float64(p.X) + a.xy*float64(p.Y) + a.x, a.yx*float64(p.X) + a.yy*float64(p.Y) + a.y
}

// after is the transformation that applies b, then a.
func (a affine) after(b affine) affine {
	return affine{
		a.xx*b.xx + a.xy*b.yx, a.xx*b.xy + a.xy*b.yy,
		a.yx*b.xx + a.yy*b.yx, a.yx*b.xy + a.yy*b.yy,
		a.xx*b.x + a.xy*b.y + a.x, a.yx*b.x + a.yy*b.y + a.y,
	}
}

// translated is the transformation that moves by by, then applies a.
func (a affine) translated(by vg.Point) affine {
	return a.after(affine{xx: 1, yy: 1, x: float64(by.X), y: float64(by.Y)})
}

// curves converts an arc to cubic Bézier curves of at most a quarter circle each.
// Unlike an arc, a curve stays one under any affine transformation. Each has four
// points: start, two controls, end.
func curves(arc vg.PathComp) [][]vg.Point {
	n := max(1, int(math.Ceil(math.Abs(arc.Angle)/(math.Pi/2)-1e-9)))
	step := arc.Angle / float64(n)
	reach := 4.0 / 3 * math.Tan(step/4)
	on := func(angle, along float64) vg.Point {
		sin, cos := math.Sincos(angle)
		return vg.Point{X: arc.Pos.X + arc.Radius*vg.Length(cos-along*sin), Y: arc.Pos.Y + arc.Radius*vg.Length(sin+along*cos)}
	}
	var all [][]vg.Point
	for i := range n {
		from := arc.Start + float64(i)*step
		all = append(all, []vg.Point{on(from, 0), on(from, reach), on(from+step, -reach), on(from+step, 0)})
	}
	return all
}
