package chart

import (
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
)

const labelGap = vg.Length(7) // between labels along x

// Panel is a pair of axes and what is painted between them.
type Panel struct {
	Title       string
	X, Y        Axis
	Height      vg.Length       // of the frame
	MinHeight   vg.Length       // below which the data cannot be read; 0: half of Height
	HideXLabels bool            // because the panel below has the same
	Side        []Tick          // text to the right, at values of y
	SideTitle   string          // above Side
	Paint       []func(f Frame) // in order
}

func (p *Panel) leastHeight() vg.Length {
	if p.MinHeight > 0 {
		return p.MinHeight
	}
	return p.Height / 2
}

// yTicks are the numbers along y.
func (p *Panel) yTicks(height vg.Length) []Tick {
	return p.Y.along(height, 20, func(string) vg.Length { return TickSize }, 6)
}

// nameWidth is the width for names along y in a column of a width.
func (p *Panel) nameWidth(wide vg.Length) vg.Length {
	if len(p.Y.Groups) > 0 {
		return min(wide*0.22, widest(canvas.Regular(TickSize), shortened(canvas.Regular(TickSize), p.Y.Names, wide*0.22)))
	}
	return min(wide*0.34, widest(canvas.Regular(TickSize), shortened(canvas.Regular(TickSize), p.Y.Names, wide*0.34)))
}

// groupWidth is the width for groups along y in a column of a width.
func (p *Panel) groupWidth(wide vg.Length) vg.Length {
	return widest(canvas.Bold(TickSize), shortened(canvas.Bold(TickSize), p.Y.Groups, wide*0.26))
}

// sides are the widths that p needs left and right of its frame.
func (p *Panel) sides(wide, height vg.Length) (left, right vg.Length) {
	left = tickLength + 3
	if p.Y.Label != "" {
		left += axisTitle
	}
	switch {
	case len(p.Y.Groups) > 0:
		left += p.nameWidth(wide) + 8 + p.groupWidth(wide)
	case len(p.Y.Names) > 0:
		left += p.nameWidth(wide)
	default:
		left += widest(canvas.Regular(TickSize), p.yTicks(height))
	}
	right = rightRoom
	if len(p.Side) > 0 {
		right = 6 + max(widest(canvas.Regular(SmallSize), p.Side), canvas.Regular(SmallSize).Width(p.SideTitle))
	}
	return left, right
}

// draw draws p with its frame in area. Labels stay between left and right.
func (p *Panel) draw(c draw.Canvas, area vg.Rectangle, left, right vg.Length) {
	size := area.Size()
	f := Frame{Canvas: draw.Canvas{Canvas: c.Canvas, Rectangle: area}, xAxis: p.X, yAxis: p.Y}

	xs := p.X.along(size.X, 34, func(s string) vg.Length { return canvas.Regular(TickSize).Width(s) }, labelGap)
	ys := p.yTicks(size.Y)
	p.gridLines(f, xs, ys)
	for _, paint := range p.Paint {
		paint(f)
	}
	Stroke(c, draw.LineStyle{Color: Black, Width: 0.6}, vg.Point{X: area.Min.X, Y: area.Max.Y}, area.Min, vg.Point{X: area.Max.X, Y: area.Min.Y})
	if title := canvas.Shorten(canvas.Bold(labelSize), canvas.Printable(p.Title), right-left); title != "" {
		// Above the frame, moved to the left if it is longer.
		x := max(left, min(area.Min.X, right-canvas.Bold(labelSize).Width(title)))
		canvas.Text(c, canvas.Bold(labelSize), Black, vg.Point{X: x, Y: area.Max.Y + 7}, canvas.AtLeft, title)
	}
	p.drawX(c, f, xs, left, right)
	p.drawY(c, f, ys, left, right-left-rightRoom)
	for _, t := range p.Side {
		canvas.Text(c, canvas.Regular(SmallSize), Black, vg.Point{X: area.Max.X + 6, Y: f.Y(t.Value)}, canvas.AtLeft, t.Label)
	}
	canvas.Text(c, canvas.Regular(SmallSize), Soft, vg.Point{X: area.Max.X + 6, Y: area.Max.Y + 6}, canvas.AtLeft, p.SideTitle)
}

func (p *Panel) gridLines(f Frame, xs, ys []Tick) {
	style := draw.LineStyle{Color: Faint, Width: 0.5}
	for _, t := range xs {
		if p.X.GridLines && t.Label != "" {
			f.Rule(t.Value, style)
		}
	}
	for _, t := range ys {
		if p.Y.GridLines && t.Label != "" {
			Stroke(f.Canvas, style, vg.Point{X: f.Min.X, Y: f.Y(t.Value)}, vg.Point{X: f.Max.X, Y: f.Y(t.Value)})
		}
	}
}

// drawX draws the axis along x.
func (p *Panel) drawX(c draw.Canvas, f Frame, xs []Tick, left, right vg.Length) {
	style := draw.LineStyle{Color: Black, Width: 0.6}
	for _, t := range xs {
		length := tickLength
		if t.Label == "" {
			length /= 2
		}
		Stroke(c, style, vg.Point{X: f.X(t.Value), Y: f.Min.Y}, vg.Point{X: f.X(t.Value), Y: f.Min.Y - length})
		if !p.HideXLabels {
			canvas.Text(c, canvas.Regular(TickSize), Black, vg.Point{X: f.X(t.Value), Y: f.Min.Y - tickLength - 6}, canvas.AtMiddle, t.Label)
		}
	}
	face := p.nameFace(f.Size().X)
	for _, t := range p.X.Names {
		canvas.Text(c, face, Black, vg.Point{X: f.X(t.Value), Y: f.Min.Y - tickLength - 6}, canvas.AtMiddle, t.Label)
	}
	if p.X.Label != "" && !p.HideXLabels {
		label := canvas.Shorten(canvas.Regular(labelSize), p.X.Label, right-left)
		half := canvas.Regular(labelSize).Width(label) / 2
		middle := max(left+half, min(f.Center().X, right-half)) // one longer than the axis extends below the labels of y
		canvas.Text(c, canvas.Regular(labelSize), Black, vg.Point{X: middle, Y: f.Min.Y - tickLength - 12 - axisTitle/2}, canvas.AtMiddle, label)
	}
}

// nameFace is the largest font in which the names along x fit.
func (p *Panel) nameFace(length vg.Length) *font.Face {
	size := vg.Length(TickSize)
	for size > 3 && widest(canvas.Regular(size), p.X.Names)+3 > length/vg.Length(max(1, len(p.X.Names))) {
		size -= 0.5
	}
	return canvas.Regular(size)
}

// drawY draws the axis along y.
func (p *Panel) drawY(c draw.Canvas, f Frame, ys []Tick, left, wide vg.Length) {
	style := draw.LineStyle{Color: Black, Width: 0.6}
	for _, t := range ys {
		length := tickLength
		if t.Label == "" {
			length /= 2
		}
		Stroke(c, style, vg.Point{X: f.Min.X, Y: f.Y(t.Value)}, vg.Point{X: f.Min.X - length, Y: f.Y(t.Value)})
		canvas.Text(c, canvas.Regular(TickSize), Black, vg.Point{X: f.Min.X - tickLength - 3, Y: f.Y(t.Value)}, canvas.AtRight, t.Label)
	}
	right := f.Min.X - tickLength - 3
	if p.Y.Label != "" {
		canvas.TextUp(c, canvas.Regular(labelSize), Black, vg.Point{X: left + axisTitle/2 - 2, Y: f.Center().Y}, canvas.Shorten(canvas.Regular(labelSize), p.Y.Label, f.Size().Y))
		left += axisTitle
	}
	if len(p.Y.Groups) > 0 {
		names := p.nameWidth(wide)
		for _, t := range shortened(canvas.Bold(TickSize), p.Y.Groups, right-left-names-8) {
			canvas.Text(c, canvas.Bold(TickSize), Black, vg.Point{X: left, Y: f.Y(t.Value)}, canvas.AtLeft, t.Label)
		}
		left = right - names
	}
	for _, t := range shortened(canvas.Regular(TickSize), p.Y.Names, right-left+0.01) {
		canvas.Text(c, canvas.Regular(TickSize), Black, vg.Point{X: right, Y: f.Y(t.Value)}, canvas.AtRight, t.Label)
	}
}

// above is the height that a row of panels needs above its frames.
func above(row []*Panel) (h vg.Length) {
	for _, p := range row {
		if p.Title != "" || p.SideTitle != "" {
			h = panelTitle
		}
	}
	return h
}

// below is the height that a row of panels needs below its frames.
func below(row []*Panel) (h vg.Length) {
	for _, p := range row {
		if p.HideXLabels {
			continue
		}
		h = max(h, tickLength+12)
		if p.X.Label != "" {
			h = max(h, tickLength+12+axisTitle)
		}
	}
	return h
}
