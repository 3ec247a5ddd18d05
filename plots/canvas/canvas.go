// Package canvas writes drawings as PNG, SVG and PDF.
//
// New returns a canvas of gonum's vg package, on which anything that draws with
// vg can draw. Compared with gonum's own canvases, text looks the same in the
// three formats and on every machine: letters come from two embedded fonts and
// are kerned as they are measured. Text fits itself to the space there is:
// Shorten, ShortenAll and Wrap make it fit a width, Text and TextUp draw it.
//
// Lengths are vg.Lengths, in points (1/72 inch). Drawings count y upwards from
// the bottom left; the canvases turn it around where a format counts downwards.
package canvas

import (
	"fmt"

	"gonum.org/v1/plot/vg"
)

// Page describes the document that a drawing fills.
type Page struct {
	Title         string    // of the document
	Width, Height vg.Length // in points
	DPI           int       // dots per inch; PNG only
	IDPrefix      string    // starts every ID, so that drawings can share an HTML page; SVG only
	Still         bool      // leave out hover texts; SVG only
}

// Formats lists the formats that New knows. They are also the usual file
// extensions.
func Formats() []string { return []string{"png", "svg", "pdf"} }

// New returns an empty canvas in one of Formats. Its WriteTo writes the document.
func New(format string, p Page) (vg.CanvasWriterTo, error) {
	switch format {
	case "png":
		return newPNG(p), nil
	case "svg":
		return newSVG(p), nil
	case "pdf":
		return newPDF(p), nil
	}
	return nil, fmt.Errorf("unknown drawing format %q", format)
}

// Hoverer is a canvas that shows text while a pointer rests on anything drawn
// between BeginHover and EndHover. Only SVG can.
type Hoverer interface {
	BeginHover(text string)
	EndHover()
}

// Stamper is a canvas that draws one shape at many points cheaply. Stamp draws at
// pt what paint draws at the origin; equal names must mean equal shapes.
type Stamper interface {
	Stamp(name string, pt vg.Point, paint func())
}
