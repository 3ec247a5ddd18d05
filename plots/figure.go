package plots

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// figure is a page: title, subtitle, legend, panels and notes from top to
// bottom. gonum's plot.Plot lays out one panel, and its Align wants all of one
// size; here panels of different heights share their sides, and the page grows
// with what it holds.
type figure struct {
	title, subtitle string
	legend          []key
	panels          []*panel
	columns         int // of panels, where the width allows
	notes           []string
}

// panel is a pair of axes and what is drawn between them.
type panel struct {
	title  string
	x, y   axis
	height vg.Length // of the data
	least  vg.Length // below which the data cannot be read; 0: half of height
	quietX bool      // no labels along x: the panel below has the same ones
	aside  []tick    // text on the right, at values of y
	head   string    // over aside
	paint  []func(f frame)
}

// frame is where a panel's data are drawn.
type frame struct {
	draw.Canvas // of the data
	x, y        func(float64) vg.Length
}

func (f frame) at(x, y float64) vg.Point { return vg.Point{X: f.x(x), Y: f.y(y)} }

const (
	margin      = vg.Length(8)
	panelGap    = vg.Length(12)
	tickLength  = vg.Length(3)
	legendLine  = vg.Length(13)
	swatchWidth = vg.Length(18)
	narrowest   = vg.Length(150) // of a panel that stands beside another
	axisTitle   = vg.Length(14)
	panelTitle  = vg.Length(15)
	room        = vg.Length(14) // right of the data, for half a label
)

// rows splits the panels for a width.
func (f *figure) rows(width vg.Length) [][]*panel {
	columns := min(max(1, f.columns), len(f.panels), max(1, int((width-2*margin)/narrowest)))
	var rows [][]*panel
	for at := 0; at < len(f.panels); at += columns {
		rows = append(rows, f.panels[at:min(at+columns, len(f.panels))])
	}
	return rows
}

// header is what stands over the panels, and its height.
func (f *figure) header(c *draw.Canvas, width vg.Length) (height vg.Length) {
	inner := width - 2*margin
	y := func(h vg.Length) vg.Length { return c.Max.Y - margin - height - h }
	for _, line := range wrap(bold(titleSize), printable(f.title), inner) {
		if c != nil {
			write(c, bold(titleSize), black, vg.Point{X: c.Min.X + margin, Y: y(7)}, atLeft, line)
		}
		height += 14
	}
	for _, line := range wrap(regular(tickSize), printable(f.subtitle), inner) {
		if c != nil {
			write(c, regular(tickSize), soft, vg.Point{X: c.Min.X + margin, Y: y(6)}, atLeft, line)
		}
		height += 11
	}
	height += 5
	var x vg.Length
	for i, k := range f.legend {
		label := shorten(regular(tickSize), printable(k.label), inner-swatchWidth-4)
		w := swatchWidth + 4 + regular(tickSize).Width(label) + 14
		if x > 0 && x+w-14 > inner {
			x, height = 0, height+legendLine
		}
		if c != nil {
			left, middle := c.Min.X+margin+x, y(legendLine/2)
			k.draw(*c, vg.Rectangle{Min: vg.Point{X: left, Y: middle - 4}, Max: vg.Point{X: left + swatchWidth, Y: middle + 4}})
			write(c, regular(tickSize), black, vg.Point{X: left + swatchWidth + 4, Y: middle}, atLeft, label)
		}
		x += w
		if i == len(f.legend)-1 {
			height += legendLine
		}
	}
	return height + 8
}

// footer is the lines of the notes.
func (f *figure) footer(width vg.Length) []string {
	var lines []string
	for _, n := range f.notes {
		lines = append(lines, wrap(regular(smallSize), printable(n), width-2*margin)...)
	}
	return lines
}

// above and below are what a row of panels needs beside its data.
func above(row []*panel) (h vg.Length) {
	for _, p := range row {
		if p.title != "" || p.head != "" {
			h = panelTitle
		}
	}
	return h
}

func (f *figure) below(row []*panel) (h vg.Length) {
	for _, p := range row {
		if p.quietX {
			continue
		}
		h = max(h, tickLength+12)
		if p.x.label != "" {
			h = max(h, tickLength+12+axisTitle)
		}
	}
	return h
}

func (f *figure) height(width vg.Length) vg.Length {
	return f.measure(width, func(p *panel) vg.Length { return p.height })
}

func (f *figure) leastHeight(width vg.Length) vg.Length {
	return f.measure(width, (*panel).leastHeight)
}

func (p *panel) leastHeight() vg.Length {
	if p.least > 0 {
		return p.least
	}
	return p.height / 2
}

func (f *figure) measure(width vg.Length, of func(*panel) vg.Length) vg.Length {
	h := 2*margin + f.header(nil, width)
	for i, row := range f.rows(width) {
		if i > 0 {
			h += panelGap
		}
		h += above(row) + tallest(row, of) + f.below(row)
	}
	if lines := f.footer(width); len(lines) > 0 {
		h += 6 + 9*vg.Length(len(lines))
	}
	return h
}

func tallest(row []*panel, of func(*panel) vg.Length) (h vg.Length) {
	for _, p := range row {
		h = max(h, of(p))
	}
	return h
}

// draw lays the page out on c. Height beyond what the page needs goes to the
// panels, and height that is missing comes from them, each giving what it can.
func (f *figure) draw(c draw.Canvas) {
	c.SetColor(white)
	c.Fill(c.Rectangle.Path())
	size := c.Size()
	natural, least := f.height(size.X), f.leastHeight(size.X)
	stretch := func(row []*panel) vg.Length {
		h := tallest(row, func(p *panel) vg.Length { return p.height })
		switch {
		case size.Y >= natural:
			return h * (1 + (size.Y-natural)/f.dataHeight(size.X))
		default:
			part := (size.Y - least) / (natural - least)
			low := tallest(row, (*panel).leastHeight)
			return low + (h-low)*part
		}
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
		top -= f.below(row)
	}
	top -= 6
	for _, line := range f.footer(size.X) {
		write(c, regular(smallSize), soft, vg.Point{X: c.Min.X + margin, Y: top - 4.5}, atLeft, line)
		top -= 9
	}
}

func (f *figure) dataHeight(width vg.Length) (h vg.Length) {
	for _, row := range f.rows(width) {
		h += tallest(row, func(p *panel) vg.Length { return p.height })
	}
	return h
}

// sides are what the panels of each column need on their left and right, so that
// their data begin and end above each other.
func (f *figure) sides(rows [][]*panel, width vg.Length, height func([]*panel) vg.Length) (lefts, rights []vg.Length) {
	columns := len(rows[0])
	lefts, rights = make([]vg.Length, columns), make([]vg.Length, columns)
	wide := (width-2*margin-vg.Length(columns-1)*panelGap)/vg.Length(columns) - room
	for _, row := range rows {
		for j, p := range row {
			left, right := p.sides(wide, height(row))
			lefts[j], rights[j] = max(lefts[j], left), max(rights[j], right)
		}
	}
	return lefts, rights
}
