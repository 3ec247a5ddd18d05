// Package plots draws measurements. Each picture is one file: a struct of plain
// data, units in the fields' names, and a function that turns it into a Picture,
// which Write puts into a png, svg, pdf or csv file.
//
// A model is what is loaded; an arm is what is compared on it: a format, with
// its loader where that matters. Models and arms stand in the order in which
// the data first names them, so whoever gathers the data decides. An arm keeps
// its colour through a picture, and beside the colour a hatch, a marker or a
// dash pattern, so that the picture can be read without colours too.
//
// Numbers that cannot be drawn (not a number, infinite, negative where that
// means nothing) are refused with their place, never left out in silence.
package plots

import (
	"github.com/sllmq/sllmq/plots/chart"
)

// Caption is what stands above a picture.
type Caption struct {
	Title    string // empty: told from the data
	Subtitle string // the conditions: machine, device, benchmark type
}

// Picture is a drawing with the numbers that it shows.
type Picture struct {
	figure *chart.Figure
	rows   [][]string
}

// Rows are the data behind the picture, a header first, as Write puts them into
// a csv file.
func (p *Picture) Rows() [][]string { return p.rows }

// Title is what stands above the picture.
func (p *Picture) Title() string { return p.figure.Title }

// HeightIn is the height in inches that the picture needs at a width.
func (p *Picture) HeightIn(widthIn float64) float64 {
	return inches(p.figure.Height(fromInches(widthIn)))
}
