package canvas

import (
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// png fills the outlines of letters, as svg does: gonum's own text is placed on
// whole pixels with its kerning rounded up, which pushes letters into each other.
type png struct{ vgimg.PngCanvas }

func newPNG(p Page) png {
	return png{vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(p.Width, p.Height), vgimg.UseDPI(p.DPI))}}
}

func (c png) FillString(f font.Face, pt vg.Point, s string) {
	if f.Font.Size > 0 {
		fillOutlines(c, f, pt, s)
	}
}
