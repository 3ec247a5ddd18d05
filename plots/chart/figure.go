package chart

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
)

// Figure is a page: from top to bottom a title, a subtitle, a legend, panels and
// notes. Panels of different heights are aligned at their sides, which gonum's
// plot.Align cannot do.
type Figure struct {
	Title, Subtitle string
	Legend          []Key
	Panels          []*Panel
	Columns         int // panels side by side, where the width allows
	Notes           []string
}

const (
	margin      = vg.Length(8)
	panelGap    = vg.Length(12)
	tickLength  = vg.Length(3)
	legendLine  = vg.Length(13)
	swatchWidth = vg.Length(18)
	narrowest   = vg.Length(150) // panel with a neighbour
	axisTitle   = vg.Length(14)
	panelTitle  = vg.Length(15)
	rightRoom   = vg.Length(14) // of a frame, for half a label
)

// rows splits the panels into rows that fit a width.
func (f *Figure) rows(width vg.Length) [][]*Panel {
	columns := min(max(1, f.Columns), len(f.Panels), max(1, int((width-2*margin)/narrowest)))
	var rows [][]*Panel
	for at := 0; at < len(f.Panels); at += columns {
		rows = append(rows, f.Panels[at:min(at+columns, len(f.Panels))])
	}
	return rows
}

// header draws everything above the panels, if there is a canvas, and returns its
// height.
func (f *Figure) header(c *draw.Canvas, width vg.Length) (height vg.Length) {
	inner := width - 2*margin
	y := func(h vg.Length) vg.Length { return c.Max.Y - margin - height - h }
	for _, line := range canvas.Wrap(canvas.Bold(titleSize), canvas.Printable(f.Title), inner) {
		if c != nil {
			canvas.Text(c, canvas.Bold(titleSize), Black, vg.Point{X: c.Min.X + margin, Y: y(7)}, canvas.AtLeft, line)
		}
		height += 14
	}
	for _, line := range canvas.Wrap(canvas.Regular(TickSize), canvas.Printable(f.Subtitle), inner) {
		if c != nil {
			canvas.Text(c, canvas.Regular(TickSize), Soft, vg.Point{X: c.Min.X + margin, Y: y(6)}, canvas.AtLeft, line)
		}
		height += 11
	}
	height += 5
	var x vg.Length
	for i, k := range f.Legend {
		label := canvas.Shorten(canvas.Regular(TickSize), canvas.Printable(k.Label), inner-swatchWidth-4)
		w := swatchWidth + 4 + canvas.Regular(TickSize).Width(label) + 14
		if x > 0 && x+w-14 > inner {
			x, height = 0, height+legendLine
		}
		if c != nil {
			left, middle := c.Min.X+margin+x, y(legendLine/2)
			k.Draw(*c, vg.Rectangle{Min: vg.Point{X: left, Y: middle - 4}, Max: vg.Point{X: left + swatchWidth, Y: middle + 4}})
			canvas.Text(c, canvas.Regular(TickSize), Black, vg.Point{X: left + swatchWidth + 4, Y: middle}, canvas.AtLeft, label)
		}
		x += w
		if i == len(f.Legend)-1 {
			height += legendLine
		}
	}
	return height + 8
}

// footer are the lines of the notes.
func (f *Figure) footer(width vg.Length) []string {
	var lines []string
	for _, n := range f.Notes {
		lines = append(lines, canvas.Wrap(canvas.Regular(SmallSize), canvas.Printable(n), width-2*margin)...)
	}
	return lines
}

// Height is the height that the page needs at a width.
func (f *Figure) Height(width vg.Length) vg.Length {
	return f.measure(width, func(p *Panel) vg.Length { return p.Height })
}

// MinHeight is the least height at which the page can be read at a width.
func (f *Figure) MinHeight(width vg.Length) vg.Length {
	return f.measure(width, (*Panel).leastHeight)
}

// measure is the height of the page with frames of the given heights.
func (f *Figure) measure(width vg.Length, frame func(*Panel) vg.Length) vg.Length {
	h := 2*margin + f.header(nil, width)
	for i, row := range f.rows(width) {
		if i > 0 {
			h += panelGap
		}
		h += above(row) + tallest(row, frame) + below(row)
	}
	if lines := f.footer(width); len(lines) > 0 {
		h += 6 + 9*vg.Length(len(lines))
	}
	return h
}

func tallest(row []*Panel, frame func(*Panel) vg.Length) (h vg.Length) {
	for _, p := range row {
		h = max(h, frame(p))
	}
	return h
}

// Draw draws the page on all of c. The frames of the panels share the height that
// there is beyond Height, or give up what is missing, down to their MinHeight.
func (f *Figure) Draw(c draw.Canvas) {
	c.SetColor(White)
	c.Fill(c.Rectangle.Path())
	size := c.Size()
	natural, least := f.Height(size.X), f.MinHeight(size.X)
	stretch := func(row []*Panel) vg.Length {
		h := tallest(row, func(p *Panel) vg.Length { return p.Height })
		if size.Y >= natural {
			return h * (1 + (size.Y-natural)/f.dataHeight(size.X))
		}
		low := tallest(row, (*Panel).leastHeight)
		return low + (h-low)*(size.Y-least)/(natural-least)
	}
	top := c.Max.Y - margin - f.header(&c, size.X)
	rows := f.rows(size.X)
	lefts, rights := f.sides(rows, size.X, stretch)
	columns := vg.Length(len(lefts))
	wide := (size.X - 2*margin - (columns-1)*panelGap) / columns
	for i, row := range rows {
		if i > 0 {
			top -= panelGap
		}
		h := stretch(row)
		top -= above(row) + h
		for j, p := range row {
			x := c.Min.X + margin + vg.Length(j)*(wide+panelGap)
			area := vg.Rectangle{Min: vg.Point{X: x + lefts[j], Y: top}, Max: vg.Point{X: x + wide - rights[j], Y: top + h}}
			p.draw(c, area, x, x+wide)
		}
		top -= below(row)
	}
	top -= 6
	for _, line := range f.footer(size.X) {
		canvas.Text(c, canvas.Regular(SmallSize), Soft, vg.Point{X: c.Min.X + margin, Y: top - 4.5}, canvas.AtLeft, line)
		top -= 9
	}
}

// dataHeight is the height of all frames.
func (f *Figure) dataHeight(width vg.Length) (h vg.Length) {
	for _, row := range f.rows(width) {
		h += tallest(row, func(p *Panel) vg.Length { return p.Height })
	}
	return h
}

// sides are the widths left and right of the frames of each column, which align
// frames above each other.
func (f *Figure) sides(rows [][]*Panel, width vg.Length, height func([]*Panel) vg.Length) (lefts, rights []vg.Length) {
	columns := len(rows[0])
	lefts, rights = make([]vg.Length, columns), make([]vg.Length, columns)
	wide := (width-2*margin-vg.Length(columns-1)*panelGap)/vg.Length(columns) - rightRoom
	for _, row := range rows {
		for j, p := range row {
			left, right := p.sides(wide, height(row))
			lefts[j], rights[j] = max(lefts[j], left), max(rights[j], right)
		}
	}
	return lefts, rights
}
