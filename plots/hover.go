package plots

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// teller is a canvas that can say something where a pointer rests on what is
// drawn between begin and end. Paper can't.
type teller interface {
	begin(text string)
	end()
}

// tell says text over what paint draws.
func (f frame) tell(text string, paint func()) {
	if t, ok := f.Canvas.Canvas.(teller); ok {
		t.begin(text)
		defer t.end()
	}
	paint()
}

// point draws a marker that says text.
func (f frame) point(l look, pt vg.Point, r vg.Length, text string) {
	f.tell(text, func() { l.mark.draw(f.Canvas, pt, r, l.ink) })
}

// target says text around a point at which nothing need be drawn.
func (f frame) target(pt vg.Point, r vg.Length, text string) {
	if _, ok := f.Canvas.Canvas.(teller); !ok {
		return
	}
	f.tell(text, func() {
		var path vg.Path
		path.Move(vg.Point{X: pt.X + r, Y: pt.Y})
		path.Arc(pt, r, 0, 2*math.Pi)
		path.Close()
		f.SetColor(color.NRGBA{})
		f.Fill(path)
	})
}

// named begins a text with the model and the arm.
func named(model, arm string) string {
	switch {
	case model == "":
		return arm
	case arm == "":
		return model
	}
	return model + ", " + arm
}

// crowd finds the marks that would lie on another of their kind, to less than
// can be seen: of a hundred thousand loads some thousand places remain.
type crowd struct {
	grain vg.Length
	taken map[[2]int]bool
	name  string // of the arm, which each of a few marks says
}

// newCrowd is for the marks of an arm in a picture of so many.
func newCrowd(marks int, model, arm string) *crowd {
	const many = 1000
	if marks > many {
		return &crowd{grain: 1, taken: map[[2]int]bool{}}
	}
	return &crowd{grain: 0.1, taken: map[[2]int]bool{}, name: named(model, arm) + "\n"}
}

// free says whether nothing lies at pt yet, and takes the place.
func (c *crowd) free(pt vg.Point) bool {
	key := [2]int{int(math.Floor(float64(pt.X / c.grain))), int(math.Floor(float64(pt.Y / c.grain)))}
	if c.taken[key] {
		return false
	}
	c.taken[key] = true
	return true
}
