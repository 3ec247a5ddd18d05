package canvas

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

// svg draws letters as shapes, stored once per file, so that the picture looks the
// same where Liberation Sans is not installed. Invisible text lies on top, to be
// searched, copied and read aloud. gonum's SVG either relies on the viewer's fonts
// or embeds whole ones, which take half a megabyte each and which most programs
// other than browsers ignore.
type svg struct {
	pen
	page         Page
	body, shapes bytes.Buffer
	glyphs       map[shape]string  // IDs
	stamps       map[string]string // IDs by name
}

type shape struct {
	font  *opentype.Font
	index sfnt.GlyphIndex
}

var (
	_ vg.CanvasWriterTo = (*svg)(nil)
	_ Hoverer           = (*svg)(nil)
	_ Stamper           = (*svg)(nil)
)

func newSVG(p Page) *svg {
	return &svg{pen: newPen(p.Width, p.Height), page: p, glyphs: map[shape]string{}, stamps: map[string]string{}}
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

// BeginHover opens a group with a title, which viewers show as a tooltip.
func (c *svg) BeginHover(text string) {
	if c.page.Still {
		return
	}
	c.body.WriteString("<g><title>")
	escape(&c.body, printableLines(text))
	c.body.WriteString("</title>")
}

func (c *svg) EndHover() {
	if !c.page.Still {
		c.body.WriteString("</g>\n")
	}
}

// Stamp writes what paint draws on the first use of name, and refers to it later.
func (c *svg) Stamp(name string, pt vg.Point, paint func()) {
	id, ok := c.stamps[name]
	if !ok {
		id = fmt.Sprintf("%sm%d", c.page.IDPrefix, len(c.stamps))
		c.stamps[name] = id
		drawn := c.body
		c.body = bytes.Buffer{}
		c.Push()
		c.state.to = affine{xx: 1, yy: -1}
		paint()
		c.Pop()
		fmt.Fprintf(&c.shapes, "<g id=\"%s\">\n%s</g>\n", id, c.body.Bytes())
		c.body = drawn
	}
	x, y := c.state.to.apply(pt)
	fmt.Fprintf(&c.body, `<use xlink:href="#%s" x="%s" y="%s"/>`+"\n", id, decimal(x), decimal(y))
}

// FillString draws the shapes of s, and s itself invisibly.
func (c *svg) FillString(f font.Face, pt vg.Point, s string) {
	if f.Font.Size <= 0 || s == "" {
		return
	}
	em := float64(f.Face.UnitsPerEm())
	scale := float64(f.Font.Size) / em
	line := c.state.to.translated(pt)
	fmt.Fprintf(&c.body, `<g aria-hidden="true" fill="%s"%s transform="%s">`, hex(c.state.ink), opacity("fill", c.state.ink), line.after(affine{xx: scale, yy: -scale}))
	layOut(f, s, func(g glyph) {
		fmt.Fprintf(&c.body, `<use xlink:href="#%s" x="%s"/>`, c.glyphID(f, g), decimal(float64(g.x)/scale))
	})
	c.body.WriteString("</g>\n")
	fmt.Fprintf(&c.body, `<text fill-opacity="0" font-family="Liberation Sans, Arial, Helvetica, sans-serif" font-size="%s" textLength="%s" lengthAdjust="spacingAndGlyphs" transform="%s">`,
		decimal(float64(f.Font.Size)), decimal(float64(f.Width(s))), line.after(affine{xx: 1, yy: -1}))
	escape(&c.body, s)
	c.body.WriteString("</text>\n")
}

// glyphID is the ID of a letter's shape. The shape is written on first use, in the
// font's units.
func (c *svg) glyphID(f font.Face, g glyph) string {
	key := shape{f.Face, g.index}
	id, ok := c.glyphs[key]
	if !ok {
		id = fmt.Sprintf("%sg%d", c.page.IDPrefix, len(c.glyphs))
		c.glyphs[key] = id
		f.Font.Size = vg.Length(f.Face.UnitsPerEm())
		fmt.Fprintf(&c.shapes, `<path id="%s" d="%s"/>`+"\n", id, c.data(glyph{index: g.index}.path(f), affine{xx: 1, yy: -1}))
	}
	return id
}

// data is path, transformed by to, in the syntax of the d attribute.
func (c *svg) data(path vg.Path, to affine) string {
	var b strings.Builder
	command := func(letter string, pts ...vg.Point) {
		b.WriteString(letter)
		for i, p := range pts {
			x, y := to.apply(p)
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(decimal(x) + "," + decimal(y))
		}
	}
	for _, part := range path {
		switch part.Type {
		case vg.MoveComp:
			command("M", part.Pos)
		case vg.LineComp:
			command("L", part.Pos)
		case vg.CurveComp:
			command(map[int]string{1: "Q", 2: "C"}[len(part.Control)], append(part.Control[:len(part.Control):len(part.Control)], part.Pos)...)
		case vg.ArcComp:
			for i, curve := range curves(part) {
				if i == 0 {
					command("L", curve[0])
				}
				command("C", curve[1:]...)
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
	if c.page.IDPrefix == "" { // its own file, not part of a page
		b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	}
	width, height := decimal(float64(c.width)), decimal(float64(c.height))
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="%spt" height="%spt" viewBox="0 0 %s %s" role="img">
<title>`, width, height, width, height)
	escape(&b, c.page.Title)
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

// escape writes s as XML text. Writing to a bytes.Buffer cannot fail.
func escape(b *bytes.Buffer, s string) { _ = xml.EscapeText(b, []byte(s)) }

// decimal formats a coordinate to a hundredth of a point, finer than any printer.
func decimal(v float64) string {
	return strconv.FormatFloat(math.Round(v*100)/100+0, 'f', -1, 64)
}

func factor(v float64) string { return strconv.FormatFloat(math.Round(v*1e6)/1e6+0, 'f', -1, 64) }

// hex formats a colour without its opacity.
func hex(ink color.Color) string {
	n := color.NRGBAModel.Convert(ink).(color.NRGBA)
	return fmt.Sprintf("#%02x%02x%02x", n.R, n.G, n.B)
}

// opacity is the attribute for the opacity of a stroke or a fill, if it has one.
func opacity(property string, ink color.Color) string {
	n := color.NRGBAModel.Convert(ink).(color.NRGBA)
	if n.A == 255 {
		return ""
	}
	return fmt.Sprintf(` %s-opacity="%s"`, property, decimal(float64(n.A)/255))
}
