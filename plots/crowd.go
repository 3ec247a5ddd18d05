package plots

import (
	"math"

	"gonum.org/v1/plot/vg"
)

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
