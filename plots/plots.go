// Package plots draws measurements, one kind of picture per file: a struct of
// plain data with units in the names of its fields, and a function that returns it
// as a [Picture]. [Encode] writes a picture as PNG, SVG or PDF, or its data as CSV.
//
// What is drawn belongs to arms. Pictures group arms by what was loaded, under
// which conditions, and compare within a group how it was loaded: [Names] has the
// details. Groups and series appear in the order in which the data first mention
// them. A series has the same look in every picture of a warehouse: see [Looks].
//
// Numbers that cannot be drawn (not a number, infinite, negative) are an error that
// says where they are; they are never left out silently.
package plots

import "github.com/sllmq/sllmq/plots/chart"

// Picture is a drawing together with the data that it shows.
type Picture struct {
	figure *chart.Figure
	rows   [][]string
}

// Rows are the data behind the picture with a header first, as Encode writes them
// to CSV.
func (p *Picture) Rows() [][]string { return p.rows }

// Title is the title above the picture.
func (p *Picture) Title() string { return p.figure.Title }

// HeightIn is the height, in inches, that the picture needs at a width.
func (p *Picture) HeightIn(widthIn float64) float64 {
	return inches(p.figure.Height(fromInches(widthIn)))
}
