package plots

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"
	"strings"

	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// svg draws letters as shapes, each shape once in the file, so that the picture
// looks the same where Liberation Sans is not installed. Over them lies the
// same text unseen, to be found, copied and read aloud. gonum's SVG either
// trusts the viewer's fonts or embeds whole ones, which take half a megabyte
// each and are ignored by most programs other than browsers.
type svg struct {
	pen
	title        string
	prefix       string // of ids, which have to differ within a page
	still        bool   // says nothing where a pointer rests
	body, shapes bytes.Buffer
	known        map[shape]string
	stamps       map[string]string // ids by name
}

type shape struct {
	font  *opentype.Font
	index sfnt.GlyphIndex
}

var (
	_ vg.CanvasWriterTo = (*svg)(nil)
	_ teller            = (*svg)(nil)
	_ stamper           = (*svg)(nil)
)

func newSVG(title string, width, height vg.Length) *svg {
	return &svg{pen: newPen(width, height), title: title, known: map[shape]string{}, stamps: map[string]string{}}
}

func (c *svg) Stroke(path vg.Path) {
	if c.state.width <= 0 {
		return
	}
	fmt.Fprintf(&c.body, `<path d="%s" fill="none" stroke="%s" stroke-width="%s"`, c.data(path, c.state.to), hex(c.state.ink), decimal(float64(c.state.width)))
	if len(c.state.dashes) > 0 {
		var dashes []string
		for _, d := range c.state.dashes {
			dashes = append(dashes, decimal(float64(d)))
		}
		fmt.Fprintf(&c.body, ` stroke-dasharray="%s" stroke-dashoffset="%s"`, strings.Join(dashes, ","), decimal(float64(c.state.offset)))
	}
	fmt.Fprintf(&c.body, "%s/>\n", opacity("stroke", c.state.ink))
}

func (c *svg) Fill(path vg.Path) {
	fmt.Fprintf(&c.body, `<path d="%s" fill="%s"%s/>`+"\n", c.data(path, c.state.to), hex(c.state.ink), opacity("fill", c.state.ink))
}

// begin opens a group that says text where a pointer rests on it.
func (c *svg) begin(text string) {
	if c.still {
		return
	}
	c.body.WriteString("<g><title>")
	escape(&c.body, printableLines(text))
	c.body.WriteString("</title>")
}

func (c *svg) end() {
	if !c.still {
		c.body.WriteString("</g>\n")
	}
}

// stamp draws at pt what paint draws at the origin, which is written on first use
// of the name.
func (c *svg) stamp(name string, pt vg.Point, paint func()) {
	id, ok := c.stamps[name]
	if !ok {
		id = fmt.Sprintf("%sm%d", c.prefix, len(c.stamps))
		c.stamps[name] = id
		page := c.body
		c.body = bytes.Buffer{}
		c.Push()
		c.state.to = affine{xx: 1, yy: -1}
		paint()
		c.Pop()
		fmt.Fprintf(&c.shapes, "<g id=\"%s\">\n%s</g>\n", id, c.body.Bytes())
		c.body = page
	}
	x, y := c.state.to.of(pt)
	fmt.Fprintf(&c.body, `<use xlink:href="#%s" x="%s" y="%s"/>`+"\n", id, decimal(x), decimal(y))
}

// FillString draws the shapes of s, and s itself unseen.
func (c *svg) FillString(f font.Face, pt vg.Point, s string) {
	if f.Font.Size <= 0 || s == "" {
		return
	}
	em := float64(f.Face.UnitsPerEm())
	scale := float64(f.Font.Size) / em
	line := c.state.to.moved(pt)
	fmt.Fprintf(&c.body, `<g aria-hidden="true" fill="%s"%s transform="%s">`, hex(c.state.ink), opacity("fill", c.state.ink), line.after(affine{xx: scale, yy: -scale}))
	outline(f, s, func(g glyph) {
		fmt.Fprintf(&c.body, `<use xlink:href="#%s" x="%s"/>`, c.shape(f, g), decimal(float64(g.x)/scale))
	})
	c.body.WriteString("</g>\n")
	fmt.Fprintf(&c.body, `<text fill-opacity="0" font-family="Liberation Sans, Arial, Helvetica, sans-serif" font-size="%s" textLength="%s" lengthAdjust="spacingAndGlyphs" transform="%s">`,
		decimal(float64(f.Font.Size)), decimal(float64(f.Width(s))), line.after(affine{xx: 1, yy: -1}))
	escape(&c.body, s)
	c.body.WriteString("</text>\n")
}

// shape is the id of a letter's shape, which is written on first use, in units
// of the font.
func (c *svg) shape(f font.Face, g glyph) string {
	key := shape{f.Face, g.index}
	id, ok := c.known[key]
	if !ok {
		id = fmt.Sprintf("%sg%d", c.prefix, len(c.known))
		c.known[key] = id
		f.Font.Size = vg.Length(f.Face.UnitsPerEm())
		fmt.Fprintf(&c.shapes, `<path id="%s" d="%s"/>`+"\n", id, c.data(glyph{index: g.index}.path(f), affine{xx: 1, yy: -1}))
	}
	return id
}

func (c *svg) data(path vg.Path, to affine) string {
	var b strings.Builder
	point := func(before string, pts ...vg.Point) {
		b.WriteString(before)
		for i, p := range pts {
			x, y := to.of(p)
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(decimal(x) + "," + decimal(y))
		}
	}
	for _, part := range path {
		switch part.Type {
		case vg.MoveComp:
			point("M", part.Pos)
		case vg.LineComp:
			point("L", part.Pos)
		case vg.CurveComp:
			point(map[int]string{1: "Q", 2: "C"}[len(part.Control)], append(part.Control[:len(part.Control):len(part.Control)], part.Pos)...)
		case vg.ArcComp:
			for i, curve := range curves(part) {
				if i == 0 {
					point("L", curve[0])
				}
				point("C", curve[1:]...)
			}
		case vg.CloseComp:
			b.WriteString("Z")
		}
	}
	return b.String()
}

// WriteTo writes the document.
func (c *svg) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	if c.prefix == "" { // a file of its own
		b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	}
	width, height := decimal(float64(c.width)), decimal(float64(c.height))
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="%spt" height="%spt" viewBox="0 0 %s %s" role="img">
<title>`, width, height, width, height)
	escape(&b, c.title)
	b.WriteString("</title>\n<defs>\n")
	b.Write(c.shapes.Bytes())
	b.WriteString("</defs>\n")
	b.Write(c.body.Bytes())
	b.WriteString("</svg>\n")
	return b.WriteTo(w)
}

func (a affine) String() string {
	return fmt.Sprintf("matrix(%s %s %s %s %s %s)", factor(a.xx), factor(a.yx), factor(a.xy), factor(a.yy), decimal(a.x), decimal(a.y))
}

// escape writes s as XML; a bytes.Buffer takes everything.
func escape(b *bytes.Buffer, s string) { _ = xml.EscapeText(b, []byte(s)) }

// decimal is a coordinate to a hundredth of a point, which no printer resolves.
func decimal(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100+0, 'f', -1, 64)
}

func factor(v float64) string { return strconv.FormatFloat(math.Round(v*1e6)/1e6+0, 'f', -1, 64) }

func hex(ink color.Color) string {
	n := color.NRGBAModel.Convert(ink).(color.NRGBA)
	return fmt.Sprintf("#%02x%02x%02x", n.R, n.G, n.B)
}

func opacity(of string, ink color.Color) string {
	n := color.NRGBAModel.Convert(ink).(color.NRGBA)
	if n.A == 255 {
		return ""
	}
	return fmt.Sprintf(` %s-opacity="%s"`, of, decimal(float64(n.A)/255))
}
