package plots

import (
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// png fills the shapes of letters as svg does: gonum's own text stands on whole
// pixels with its kerning rounded up, which pushes letters into each other.
type png struct{ vgimg.PngCanvas }

func newPNG(width, height vg.Length, dpi int) png {
	return png{vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))}}
}

func (c png) FillString(f font.Face, pt vg.Point, s string) {
	if f.Font.Size > 0 {
		fillOutline(c, f, pt, s)
	}
}
