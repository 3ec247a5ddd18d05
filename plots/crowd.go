package plots

import (
	"math"

	"gonum.org/v1/plot/vg"
)

// crowd thins out the marks of one series: it finds marks that would cover another
// so closely that nobody could see both. Of a hundred thousand loads, some thousand
// marks remain.
type crowd struct {
	grain vg.Length // size of a place that one mark takes
	taken map[[2]int]bool
	name  string // first line of hover texts; empty if there are many
}

// newCrowd is for the marks of an arm in a picture with a number of marks in all.
func newCrowd(marks int, name string) *crowd {
	const many = 1000
	if marks > many {
		return &crowd{grain: 1, taken: map[[2]int]bool{}}
	}
	return &crowd{grain: 0.1, taken: map[[2]int]bool{}, name: name + "\n"}
}

// take reports whether the place at pt was free, and takes it.
func (c *crowd) take(pt vg.Point) bool {
	key := [2]int{int(math.Floor(float64(pt.X / c.grain))), int(math.Floor(float64(pt.Y / c.grain)))}
	if c.taken[key] {
		return false
	}
	c.taken[key] = true
	return true
}
