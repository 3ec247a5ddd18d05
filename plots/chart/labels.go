package chart

import (
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
)

// Labels places text beside points, where there is room. It leaves out labels that
// would cover something.
type Labels struct {
	Within vg.Rectangle // labels stay inside
	taken  []vg.Rectangle
}

// Block keeps labels at least r away from pt.
func (l *Labels) Block(pt vg.Point, r vg.Length) {
	l.BlockRect(vg.Rectangle{Min: vg.Point{X: pt.X - r, Y: pt.Y - r}, Max: vg.Point{X: pt.X + r, Y: pt.Y + r}})
}

// BlockRect keeps labels out of a rectangle.
func (l *Labels) BlockRect(r vg.Rectangle) { l.taken = append(l.taken, r) }

// BlockLine keeps labels off a straight line.
func (l *Labels) BlockLine(from, to vg.Point) {
	path := to.Sub(from)
	steps := max(1, int(max(path.X, -path.X)+max(path.Y, -path.Y))/3)
	for i := range steps + 1 {
		l.Block(from.Add(path.Scale(vg.Length(i)/vg.Length(steps))), 1.5)
	}
}

// Put writes s to the right of pt, to its left, above or below it, and reports
// whether there was room.
func (l *Labels) Put(c draw.Canvas, f *font.Face, pt vg.Point, s string) bool {
	w, h, off := f.Width(s), f.Font.Size, vg.Length(5)
	for _, middle := range []vg.Point{
		{X: pt.X + off + w/2, Y: pt.Y}, {X: pt.X - off - w/2, Y: pt.Y},
		{X: pt.X, Y: pt.Y + off + h/2}, {X: pt.X, Y: pt.Y - off - h/2},
		{X: pt.X + off + w/2, Y: pt.Y + h}, {X: pt.X + off + w/2, Y: pt.Y - h},
	} {
		box := vg.Rectangle{Min: vg.Point{X: middle.X - w/2, Y: middle.Y - h/2}, Max: vg.Point{X: middle.X + w/2, Y: middle.Y + h/2}}
		if l.free(box) {
			canvas.Text(c, f, Soft, middle, canvas.AtMiddle, s)
			l.taken = append(l.taken, box)
			return true
		}
	}
	return false
}

func (l *Labels) free(box vg.Rectangle) bool {
	if box.Min.X < l.Within.Min.X || box.Max.X > l.Within.Max.X || box.Min.Y < l.Within.Min.Y || box.Max.Y > l.Within.Max.Y {
		return false
	}
	for _, t := range l.taken {
		if box.Min.X < t.Max.X && t.Min.X < box.Max.X && box.Min.Y < t.Max.Y && t.Min.Y < box.Max.Y {
			return false
		}
	}
	return true
}
