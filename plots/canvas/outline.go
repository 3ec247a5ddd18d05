package canvas

import (
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	vgfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// glyph is one letter of a line of text.
type glyph struct {
	index  sfnt.GlyphIndex
	x      vg.Length // from the start of the line, in points
	kerned bool      // moved closer to or away from the previous letter
}

// layOut calls each for the glyphs of s in order, kerned as gonum's Width measures
// them.
func layOut(f vgfont.Face, s string, each func(glyph)) {
	var buf sfnt.Buffer
	em := fixed.Int26_6(f.Face.UnitsPerEm())
	unit := f.Font.Size / vg.Length(em)
	var x fixed.Int26_6
	var before sfnt.GlyphIndex
	for i, r := range s {
		index, err := f.Face.GlyphIndex(&buf, r)
		if err != nil {
			index = 0 // the box that a font has for missing letters
		}
		var kern fixed.Int26_6
		if i > 0 {
			if kern, err = f.Face.Kern(&buf, before, index, em, font.HintingNone); err != nil {
				kern = 0 // the font has no kerning for this pair
			}
		}
		x += kern
		each(glyph{index, vg.Length(x) * unit, kern != 0})
		if advance, err := f.Face.GlyphAdvance(&buf, index, em, font.HintingNone); err == nil {
			x += advance
		}
		before = index
	}
}

// path is the outline of g at its place in the line.
func (g glyph) path(f vgfont.Face) vg.Path {
	var buf sfnt.Buffer
	em := fixed.Int26_6(f.Face.UnitsPerEm())
	unit := f.Font.Size / vg.Length(em)
	segments, err := f.Face.LoadGlyph(&buf, g.index, em, nil)
	if err != nil {
		return nil
	}
	at := func(p fixed.Point26_6) vg.Point {
		return vg.Point{X: g.x + vg.Length(p.X)*unit, Y: -vg.Length(p.Y) * unit}
	}
	var path vg.Path
	for i, s := range segments {
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			if i > 0 {
				path.Close()
			}
			path.Move(at(s.Args[0]))
		case sfnt.SegmentOpLineTo:
			path.Line(at(s.Args[0]))
		case sfnt.SegmentOpQuadTo:
			path.QuadTo(at(s.Args[0]), at(s.Args[1]))
		case sfnt.SegmentOpCubeTo:
			path.CubeTo(at(s.Args[0]), at(s.Args[1]), at(s.Args[2]))
		}
	}
	if len(path) > 0 {
		path.Close()
	}
	return path
}

// fillOutlines draws a line of text as filled outlines.
func fillOutlines(c vg.Canvas, f vgfont.Face, pt vg.Point, s string) {
	layOut(f, s, func(g glyph) {
		path := g.path(f)
		for i := range path {
			path[i].Pos = path[i].Pos.Add(pt)
			for j := range path[i].Control {
				path[i].Control[j] = path[i].Control[j].Add(pt)
			}
		}
		if len(path) > 0 {
			c.Fill(path)
		}
	})
}
