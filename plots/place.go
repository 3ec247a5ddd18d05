package plots

import (
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// labels are put beside points where there is room; those without room are left
// out, since text over text says nothing.
type labels struct {
	within vg.Rectangle
	taken  []vg.Rectangle
}

func (l *labels) block(pt vg.Point, r vg.Length) {
	l.taken = append(l.taken, vg.Rectangle{Min: vg.Point{X: pt.X - r, Y: pt.Y - r}, Max: vg.Point{X: pt.X + r, Y: pt.Y + r}})
}

// blockLine keeps labels off a line.
func (l *labels) blockLine(from, to vg.Point) {
	way := to.Sub(from)
	steps := max(1, int(max(way.X, -way.X)+max(way.Y, -way.Y))/3)
	for i := range steps + 1 {
		l.block(from.Add(way.Scale(vg.Length(i)/vg.Length(steps))), 1.5)
	}
}

// put writes s beside pt, right, left, above or below, and tells whether it could.
func (l *labels) put(c draw.Canvas, f *font.Face, pt vg.Point, s string) bool {
	w, h, off := f.Width(s), f.Font.Size, vg.Length(5)
	for _, middle := range []vg.Point{
		{X: pt.X + off + w/2, Y: pt.Y}, {X: pt.X - off - w/2, Y: pt.Y},
		{X: pt.X, Y: pt.Y + off + h/2}, {X: pt.X, Y: pt.Y - off - h/2},
		{X: pt.X + off + w/2, Y: pt.Y + h}, {X: pt.X + off + w/2, Y: pt.Y - h},
	} {
		box := vg.Rectangle{Min: vg.Point{X: middle.X - w/2, Y: middle.Y - h/2}, Max: vg.Point{X: middle.X + w/2, Y: middle.Y + h/2}}
		if l.free(box) {
			write(c, f, soft, middle, atMiddle, s)
			l.taken = append(l.taken, box)
			return true
		}
	}
	return false
}

func (l *labels) free(box vg.Rectangle) bool {
	if box.Min.X < l.within.Min.X || box.Max.X > l.within.Max.X || box.Min.Y < l.within.Min.Y || box.Max.Y > l.within.Max.Y {
		return false
	}
	for _, t := range l.taken {
		if box.Min.X < t.Max.X && t.Min.X < box.Max.X && box.Min.Y < t.Max.Y && t.Min.Y < box.Max.Y {
			return false
		}
	}
	return true
}
