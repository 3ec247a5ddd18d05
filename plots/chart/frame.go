package chart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
)

// Frame is the area of a panel in which data are drawn. Its X and Y map values; the
// embedded canvas's own map fractions.
type Frame struct {
	draw.Canvas
	xAxis, yAxis Axis
}

// X is the place of a value along the horizontal axis.
func (f Frame) X(v float64) vg.Length { return f.Min.X + vg.Length(f.xAxis.part(v))*f.Size().X }

// Y is the place of a value along the vertical axis.
func (f Frame) Y(v float64) vg.Length { return f.Min.Y + vg.Length(f.yAxis.part(v))*f.Size().Y }

// At is the place of a pair of values.
func (f Frame) At(x, y float64) vg.Point { return vg.Point{X: f.X(x), Y: f.Y(y)} }

// Rule draws an upright line through the frame at a value of x.
func (f Frame) Rule(x float64, style draw.LineStyle) {
	Stroke(f.Canvas, style, vg.Point{X: f.X(x), Y: f.Min.Y}, vg.Point{X: f.X(x), Y: f.Max.Y})
}

// Hover attaches text to what paint draws, on canvases that can show it.
func (f Frame) Hover(text string, paint func()) {
	if h, ok := f.Canvas.Canvas.(canvas.Hoverer); ok {
		h.BeginHover(text)
		defer h.EndHover()
	}
	paint()
}

// Point draws a marker of radius r with a hover text.
func (f Frame) Point(l Look, pt vg.Point, r vg.Length, text string) {
	f.Hover(text, func() { l.Mark.Draw(f.Canvas, pt, r, l.Ink) })
}

// HoverTarget attaches text to an invisible disc of radius r around pt.
func (f Frame) HoverTarget(pt vg.Point, r vg.Length, text string) {
	if _, ok := f.Canvas.Canvas.(canvas.Hoverer); !ok {
		return
	}
	f.Hover(text, func() {
		var path vg.Path
		path.Move(vg.Point{X: pt.X + r, Y: pt.Y})
		path.Arc(pt, r, 0, 2*math.Pi)
		path.Close()
		f.SetColor(color.NRGBA{})
		f.Fill(path)
	})
}
