package plots

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
)

// Options are the size of a picture.
type Options struct {
	WidthIn  float64 // inches
	HeightIn float64 // inches; 0: what the picture needs
	DPI      int     // of a png
	IDPrefix string  // of an svg that stands in a page beside others: a word of its own
	Still    bool    // an svg that says nothing where a pointer rests
}

// DefaultOptions are a page's width at the resolution that journals ask for.
func DefaultOptions() Options { return Options{WidthIn: 7, DPI: 300} }

const (
	minWidthIn = 3    // narrower than a column of a paper, labels have no room
	maxSideIn  = 200  // what a PDF page may have
	maxPixels  = 1e8  // 400 MB while a png is drawn
	maxDPI     = 2400 // beyond printers
)

// Formats lists what Encode knows, which are the files' endings too.
func Formats() []string { return append(canvas.Formats(), "csv") }

// Check refuses what no picture can be written with in a format.
func (o Options) Check(format string) error {
	switch {
	case !slices.Contains(Formats(), format):
		return fmt.Errorf("no format %q: use one of %s", format, strings.Join(Formats(), ", "))
	case format == "csv":
	case !(o.WidthIn >= minWidthIn && o.WidthIn <= maxSideIn):
		return fmt.Errorf("a width of %g inches: use %d to %d", o.WidthIn, minWidthIn, maxSideIn)
	case format == "png" && (o.DPI < 1 || o.DPI > maxDPI):
		return fmt.Errorf("%d dots an inch: use 1 to %d", o.DPI, maxDPI)
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
	if format == "png" {
		if inches(width)*inches(height)*float64(o.DPI)*float64(o.DPI) > maxPixels {
			return fmt.Errorf("%.1f by %.1f inches at %d dots an inch are too many pixels: choose fewer, or svg or pdf", inches(width), inches(height), o.DPI)
		}
	}
	to, err := canvas.New(format, canvas.Page{Title: p.figure.Title, Width: width, Height: height, DPI: o.DPI, IDPrefix: o.IDPrefix, Still: o.Still})
	if err != nil {
		return err
	}
	p.figure.Draw(draw.New(to))
	_, err = to.WriteTo(w)
	return err
}

// size is the size of the drawing, refused where it cannot be read.
func (p *Picture) size(o Options) (width, height vg.Length, err error) {
	needed := p.HeightIn(o.WidthIn)
	if o.HeightIn == 0 {
		o.HeightIn = needed
	}
	if least := inches(p.figure.MinHeight(fromInches(o.WidthIn))); !(o.HeightIn >= least && o.HeightIn <= maxSideIn) {
		return 0, 0, fmt.Errorf("a height of %.1f inches: this picture needs %.1f to %d", o.HeightIn, math.Ceil(least*10)/10, maxSideIn)
	}
	return fromInches(o.WidthIn), fromInches(o.HeightIn), nil
}

func inches(l vg.Length) float64      { return float64(l / vg.Inch) }
func fromInches(in float64) vg.Length { return vg.Length(in) * vg.Inch }
