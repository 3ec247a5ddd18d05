package plots

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// key is an entry of the legend.
type key struct {
	label string
	draw  func(c draw.Canvas, r vg.Rectangle)
}

// swatches are the legend of the arms; one model's need none.
func (a *arrangement[T]) swatches() []key {
	if len(a.models) == 1 {
		return nil
	}
	var keys []key
	for i, arm := range a.arms {
		keys = append(keys, swatch(arm, lookOf(i).ink, lookOf(i).hatch))
	}
	return keys
}

func swatch(label string, ink color.NRGBA, h hatch) key {
	return key{label, func(c draw.Canvas, r vg.Rectangle) { filled(c, r, ink, h) }}
}

// dots are the legend of the arms as markers.
func (a *arrangement[T]) dots() []key {
	var keys []key
	for i, arm := range a.arms {
		l := lookOf(i)
		keys = append(keys, key{arm, func(c draw.Canvas, r vg.Rectangle) {
			l.mark.draw(c, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}, 3, l.ink)
		}})
	}
	return keys
}

// lines are the legend of the arms as lines with a marker.
func (a *arrangement[T]) lines() []key {
	var keys []key
	for i, arm := range a.arms {
		l := lookOf(i)
		keys = append(keys, key{arm, func(c draw.Canvas, r vg.Rectangle) {
			y := (r.Min.Y + r.Max.Y) / 2
			l.stroke(c, 1.4, vg.Point{X: r.Min.X, Y: y}, vg.Point{X: r.Max.X, Y: y})
			l.mark.draw(c, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: y}, 3, l.ink)
		}})
	}
	return keys
}
