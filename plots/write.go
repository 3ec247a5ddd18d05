package plots

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
)

// Options set the size of a picture and how it is written.
type Options struct {
	WidthIn  float64 // inches
	HeightIn float64 // inches; 0: as high as the picture needs
	DPI      int     // dots per inch; png only
	IDPrefix string  // unique within a page that embeds several pictures; svg only
	Still    bool    // leave out hover texts; svg only
}

// DefaultOptions are for a page 7 inches wide, at the resolution that journals ask
// for.
func DefaultOptions() Options { return Options{WidthIn: 7, DPI: 300} }

const (
	minWidthIn = 3    // narrower than a column of a paper: no room for labels
	maxSideIn  = 200  // of a PDF page
	maxPixels  = 1e8  // 400 MB while drawing
	maxDPI     = 2400 // finer than printers
)

// Formats lists what Encode can write. They are also the usual file extensions.
func Formats() []string { return append(canvas.Formats(), "csv") }

// Check reports why no picture could be written in a format with these options.
func (o Options) Check(format string) error {
	switch {
	case !slices.Contains(Formats(), format):
		return fmt.Errorf("unknown format %q: use one of %s", format, strings.Join(Formats(), ", "))
	case format == "csv":
	case !(o.WidthIn >= minWidthIn && o.WidthIn <= maxSideIn):
		return fmt.Errorf("width of %g inches: use %d to %d", o.WidthIn, minWidthIn, maxSideIn)
	case format == "png" && (o.DPI < 1 || o.DPI > maxDPI):
		return fmt.Errorf("%d dots per inch: use 1 to %d", o.DPI, maxDPI)
	}
	return nil
}

// Encode writes p to w in one of Formats.
func Encode(w io.Writer, p *Picture, format string, o Options) error {
	if err := o.Check(format); err != nil {
		return err
	}
	if format == "csv" {
		return csv.NewWriter(w).WriteAll(p.rows)
	}
	width, height, err := p.size(o)
	if err != nil {
		return err
	}
	if format == "png" && inches(width)*inches(height)*float64(o.DPI)*float64(o.DPI) > maxPixels {
		return fmt.Errorf("%.1f by %.1f inches at %d dots per inch is too many pixels: use fewer, or svg or pdf", inches(width), inches(height), o.DPI)
	}
	c, err := canvas.New(format, canvas.Page{Title: p.figure.Title, Width: width, Height: height, DPI: o.DPI, IDPrefix: o.IDPrefix, Still: o.Still})
	if err != nil {
		return err
	}
	p.figure.Draw(draw.New(c))
	_, err = c.WriteTo(w)
	return err
}

// size is the size of the drawing, or an error if it is too small to be read.
func (p *Picture) size(o Options) (width, height vg.Length, err error) {
	needed := p.HeightIn(o.WidthIn)
	if o.HeightIn == 0 {
		o.HeightIn = needed
	}
	if least := inches(p.figure.MinHeight(fromInches(o.WidthIn))); !(o.HeightIn >= least && o.HeightIn <= maxSideIn) {
		return 0, 0, fmt.Errorf("height of %.1f inches: this picture needs %.1f to %d", o.HeightIn, math.Ceil(least*10)/10, maxSideIn)
	}
	return fromInches(o.WidthIn), fromInches(o.HeightIn), nil
}

func inches(l vg.Length) float64      { return float64(l / vg.Inch) }
func fromInches(in float64) vg.Length { return vg.Length(in) * vg.Inch }

// number writes v in full, for CSV.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// optional is number, empty for nil.
func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v)
}
