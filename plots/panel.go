package plots

import (
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const apart = vg.Length(7) // between labels along x

// yTicks are the numbers beside the panel.
func (p *panel) yTicks(height vg.Length) []tick {
	return p.y.along(height, 20, func(string) vg.Length { return tickSize }, 6)
}

// nameWidth and groupWidth bound the names beside a panel.
func (p *panel) nameWidth(wide vg.Length) vg.Length {
	if len(p.y.groups) > 0 {
		return min(wide*0.22, widest(regular(tickSize), shortened(regular(tickSize), p.y.names, wide*0.22)))
	}
	return min(wide*0.34, widest(regular(tickSize), shortened(regular(tickSize), p.y.names, wide*0.34)))
}

func (p *panel) groupWidth(wide vg.Length) vg.Length {
	return widest(bold(tickSize), shortened(bold(tickSize), p.y.groups, wide*0.26))
}

// sides are what p needs left and right of its data in a column of a width.
func (p *panel) sides(wide, height vg.Length) (left, right vg.Length) {
	left = tickLength + 3
	if p.y.label != "" {
		left += axisTitle
	}
	switch {
	case len(p.y.groups) > 0:
		left += p.nameWidth(wide) + 8 + p.groupWidth(wide)
	case len(p.y.names) > 0:
		left += p.nameWidth(wide)
	default:
		left += widest(regular(tickSize), p.yTicks(height))
	}
	right = room
	if len(p.aside) > 0 {
		right = 6 + max(widest(regular(smallSize), p.aside), regular(smallSize).Width(p.head))
	}
	return left, right
}

// draw draws p with its data in area; left and right bound what stands beside.
func (p *panel) draw(c draw.Canvas, area vg.Rectangle, left, right vg.Length) {
	size := area.Size()
	f := frame{Canvas: draw.Canvas{Canvas: c.Canvas, Rectangle: area}}
	f.x = func(v float64) vg.Length { return area.Min.X + vg.Length(p.x.part(v))*size.X }
	f.y = func(v float64) vg.Length { return area.Min.Y + vg.Length(p.y.part(v))*size.Y }

	xs := p.x.along(size.X, 34, func(s string) vg.Length { return regular(tickSize).Width(s) }, apart)
	ys := p.yTicks(size.Y)
	p.gridLines(f, xs, ys)
	for _, paint := range p.paint {
		paint(f)
	}
	stroke(c, draw.LineStyle{Color: black, Width: 0.6}, vg.Point{X: area.Min.X, Y: area.Max.Y}, area.Min, vg.Point{X: area.Max.X, Y: area.Min.Y})
	if title := shorten(bold(labelSize), printable(p.title), right-left); title != "" {
		// Over the data, or as far to the left as its length asks for.
		x := max(left, min(area.Min.X, right-bold(labelSize).Width(title)))
		write(c, bold(labelSize), black, vg.Point{X: x, Y: area.Max.Y + 7}, atLeft, title)
	}
	p.below(c, f, xs, left, right)
	p.beside(c, f, ys, left, right-left-room)
	for _, t := range p.aside {
		write(c, regular(smallSize), black, vg.Point{X: area.Max.X + 6, Y: f.y(t.value)}, atLeft, t.label)
	}
	write(c, regular(smallSize), soft, vg.Point{X: area.Max.X + 6, Y: area.Max.Y + 6}, atLeft, p.head)
}

func (p *panel) gridLines(f frame, xs, ys []tick) {
	style := draw.LineStyle{Color: faint, Width: 0.5}
	for _, t := range xs {
		if p.x.lines && t.label != "" {
			stroke(f.Canvas, style, vg.Point{X: f.x(t.value), Y: f.Min.Y}, vg.Point{X: f.x(t.value), Y: f.Max.Y})
		}
	}
	for _, t := range ys {
		if p.y.lines && t.label != "" {
			stroke(f.Canvas, style, vg.Point{X: f.Min.X, Y: f.y(t.value)}, vg.Point{X: f.Max.X, Y: f.y(t.value)})
		}
	}
}

// below draws the axis along x.
func (p *panel) below(c draw.Canvas, f frame, xs []tick, left, right vg.Length) {
	style := draw.LineStyle{Color: black, Width: 0.6}
	for _, t := range xs {
		length := tickLength
		if t.label == "" {
			length /= 2
		}
		stroke(c, style, vg.Point{X: f.x(t.value), Y: f.Min.Y}, vg.Point{X: f.x(t.value), Y: f.Min.Y - length})
		if !p.quietX {
			write(c, regular(tickSize), black, vg.Point{X: f.x(t.value), Y: f.Min.Y - tickLength - 6}, atMiddle, t.label)
		}
	}
	face := p.nameFace(f.Size().X)
	for _, t := range p.x.names {
		write(c, face, black, vg.Point{X: f.x(t.value), Y: f.Min.Y - tickLength - 6}, atMiddle, t.label)
	}
	if p.x.label != "" && !p.quietX {
		label := shorten(regular(labelSize), p.x.label, right-left)
		half := regular(labelSize).Width(label) / 2
		middle := max(left+half, min(f.Center().X, right-half)) // longer than the axis, it goes under what stands beside
		write(c, regular(labelSize), black, vg.Point{X: middle, Y: f.Min.Y - tickLength - 12 - axisTitle/2}, atMiddle, label)
	}
}

// nameFace is as large as names along x allow.
func (p *panel) nameFace(length vg.Length) *font.Face {
	size := vg.Length(tickSize)
	for size > 3 && widest(regular(size), p.x.names)+3 > length/vg.Length(max(1, len(p.x.names))) {
		size -= 0.5
	}
	return regular(size)
}

// beside draws the axis along y.
func (p *panel) beside(c draw.Canvas, f frame, ys []tick, left, wide vg.Length) {
	style := draw.LineStyle{Color: black, Width: 0.6}
	for _, t := range ys {
		length := tickLength
		if t.label == "" {
			length /= 2
		}
		stroke(c, style, vg.Point{X: f.Min.X, Y: f.y(t.value)}, vg.Point{X: f.Min.X - length, Y: f.y(t.value)})
		write(c, regular(tickSize), black, vg.Point{X: f.Min.X - tickLength - 3, Y: f.y(t.value)}, atRight, t.label)
	}
	right := f.Min.X - tickLength - 3
	if p.y.label != "" {
		writeUp(c, regular(labelSize), black, vg.Point{X: left + axisTitle/2 - 2, Y: f.Center().Y}, shorten(regular(labelSize), p.y.label, f.Size().Y))
		left += axisTitle
	}
	if len(p.y.groups) > 0 {
		names := p.nameWidth(wide)
		for _, t := range shortened(bold(tickSize), p.y.groups, right-left-names-8) {
			write(c, bold(tickSize), black, vg.Point{X: left, Y: f.y(t.value)}, atLeft, t.label)
		}
		left = right - names
	}
	for _, t := range shortened(regular(tickSize), p.y.names, right-left+0.01) {
		write(c, regular(tickSize), black, vg.Point{X: right, Y: f.y(t.value)}, atRight, t.label)
	}
}
