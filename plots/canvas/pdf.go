package canvas

import (
	"bytes"
	"image/color"
	"io"
	"time"

	"codeberg.org/go-pdf/fpdf"
	stdfont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// pdf draws with fpdf, which embeds only the letters that are used. gonum's canvas
// for the same library is limited to 256 letters although it receives UTF-8, and
// embeds only the first of two fonts.
type pdf struct {
	pen
	doc   *fpdf.Fpdf
	fonts map[*opentype.Font]bool
}

var _ vg.CanvasWriterTo = (*pdf)(nil)

func newPDF(p Page) *pdf {
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: float64(p.Width), Ht: float64(p.Height)}})
	doc.SetTitle(Printable(p.Title), true)
	// Equal drawings give equal bytes.
	doc.SetCatalogSort(true)
	doc.SetCreationDate(time.Unix(0, 0).UTC())
	doc.SetModificationDate(time.Unix(0, 0).UTC())
	doc.SetMargins(0, 0, 0)
	doc.SetAutoPageBreak(false, 0)
	doc.AddPage()
	return &pdf{pen: newPen(p.Width, p.Height), doc: doc, fonts: map[*opentype.Font]bool{}}
}

func (c *pdf) Stroke(path vg.Path) {
	if c.state.width <= 0 {
		return
	}
	ink := c.ink()
	c.doc.SetDrawColor(int(ink.R), int(ink.G), int(ink.B))
	c.doc.SetLineWidth(float64(c.state.width))
	dashes := make([]float64, len(c.state.dashes))
	for i, d := range c.state.dashes {
		dashes[i] = float64(d)
	}
	c.doc.SetDashPattern(dashes, float64(c.state.offset))
	c.trace(path)
	c.doc.DrawPath("D")
}

func (c *pdf) Fill(path vg.Path) {
	ink := c.ink()
	c.doc.SetFillColor(int(ink.R), int(ink.G), int(ink.B))
	c.trace(path)
	c.doc.DrawPath("F")
}

// ink sets the opacity of the current colour and returns the colour.
func (c *pdf) ink() color.NRGBA {
	ink := color.NRGBAModel.Convert(c.state.ink).(color.NRGBA)
	c.doc.SetAlpha(float64(ink.A)/255, "Normal")
	return ink
}

// trace makes path the current path of the document.
func (c *pdf) trace(path vg.Path) {
	for _, part := range path {
		x, y := c.state.to.apply(part.Pos)
		switch part.Type {
		case vg.MoveComp:
			c.doc.MoveTo(x, y)
		case vg.LineComp:
			c.doc.LineTo(x, y)
		case vg.CurveComp:
			x0, y0 := c.state.to.apply(part.Control[0])
			if len(part.Control) == 1 {
				c.doc.CurveTo(x0, y0, x, y)
			} else {
				x1, y1 := c.state.to.apply(part.Control[1])
				c.doc.CurveBezierCubicTo(x0, y0, x1, y1, x, y)
			}
		case vg.ArcComp:
			for i, curve := range curves(part) {
				if i == 0 {
					c.doc.LineTo(c.state.to.apply(curve[0]))
				}
				x0, y0 := c.state.to.apply(curve[1])
				x1, y1 := c.state.to.apply(curve[2])
				x, y := c.state.to.apply(curve[3])
				c.doc.CurveBezierCubicTo(x0, y0, x1, y1, x, y)
			}
		case vg.CloseComp:
			c.doc.ClosePath()
		}
	}
}

// FillString writes selectable text. A line with letters that the font lacks is
// drawn as outlines instead, with boxes for the missing ones.
func (c *pdf) FillString(f font.Face, pt vg.Point, s string) {
	if f.Font.Size <= 0 || s == "" {
		return
	}
	if lacks(f, s) {
		fillOutlines(c, f, pt, s)
		return
	}
	ink := c.ink()
	c.doc.SetTextColor(int(ink.R), int(ink.G), int(ink.B))
	c.choose(f)
	// Transform expects PDF's own coordinates, which count upwards from the bottom
	// left as the drawing does.
	upright := affine{xx: 1, yy: -1, y: float64(c.height)}
	m := upright.after(c.state.to).translated(pt)
	c.doc.TransformBegin()
	c.doc.Transform(fpdf.TransformMatrix{A: m.xx, B: m.yx, C: m.xy, D: m.yy, E: m.x, F: m.y})
	runes, start, from, next := []rune(s), 0, vg.Length(0), 0
	flush := func(end int, x vg.Length) {
		if end > start {
			c.doc.Text(float64(from), float64(c.height), string(runes[start:end]))
		}
		start, from = end, x
	}
	layOut(f, s, func(g glyph) {
		if g.kerned {
			flush(next, g.x)
		}
		next++
	})
	flush(len(runes), 0)
	c.doc.TransformEnd()
}

// choose makes f the current font and embeds it on first use.
func (c *pdf) choose(f font.Face) {
	style := ""
	if f.Font.Weight == stdfont.WeightBold {
		style = "B"
	}
	if !c.fonts[f.Face] {
		c.fonts[f.Face] = true
		var raw bytes.Buffer
		if _, err := f.Face.WriteSourceTo(nil, &raw); err != nil {
			c.doc.SetError(err)
			return
		}
		c.doc.AddUTF8FontFromBytes("sans", style, raw.Bytes())
	}
	c.doc.SetFont("sans", style, float64(f.Font.Size))
}

// lacks reports whether f has no shape for some letter of s.
func lacks(f font.Face, s string) bool {
	var buf sfnt.Buffer
	for _, r := range s {
		if index, err := f.Face.GlyphIndex(&buf, r); err != nil || index == 0 || r > 0xffff {
			return true
		}
	}
	return false
}

// WriteTo writes the document.
func (c *pdf) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	if err := c.doc.Output(&b); err != nil {
		return 0, err
	}
	return b.WriteTo(w)
}
