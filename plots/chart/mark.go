package chart

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
)

// Mark is the shape of a marker.
type Mark int

const (
	Disc Mark = iota
	Square
	Triangle
	Diamond
	Wedge
	Saltire
	Plus
	Star
	marks // how many there are
)

// Draw draws a marker of radius r around pt. It is filled with ink and edged in
// black, so that light ones show on white.
func (m Mark) Draw(c draw.Canvas, pt vg.Point, r vg.Length, ink color.NRGBA) {
	if s, ok := c.Canvas.(canvas.Stamper); ok {
		s.Stamp(fmt.Sprint(m, r, ink), pt, func() { m.shape(c, vg.Point{}, r, ink) })
		return
	}
	m.shape(c, pt, r, ink)
}

func (m Mark) shape(c draw.Canvas, pt vg.Point, r vg.Length, ink color.NRGBA) {
	var path vg.Path
	polygon := func(corners int, first float64, radii ...vg.Length) {
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
	case Disc:
		path.Move(vg.Point{X: pt.X + r, Y: pt.Y})
		path.Arc(pt, r, 0, 2*math.Pi)
		path.Close()
	case Square:
		polygon(4, math.Pi/4, r*1.2)
	case Triangle:
		polygon(3, math.Pi/2, r*1.3)
	case Diamond:
		polygon(4, 0, r*1.25)
	case Wedge:
		polygon(3, -math.Pi/2, r*1.3)
	case Saltire:
		polygon(8, 0, r*0.45, r*1.3)
	case Plus:
		polygon(8, math.Pi/4, r*0.45, r*1.3)
	case Star:
		polygon(10, math.Pi/2, r*1.4, r*0.6)
	}
	c.SetColor(ink)
	c.Fill(path)
	c.SetLineStyle(draw.LineStyle{Color: Black, Width: 0.4})
	c.Stroke(path)
}
