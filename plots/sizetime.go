package plots

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/warehouse/record"
)

// SizeTime is how loading time grows with the size of the model.
type SizeTime struct {
	Subtitle  string
	Loads     []SizedLoad
	Rooflines []Roofline
}

// SizedLoad is a load, or the median of several.
type SizedLoad struct {
	record.Arm
	Bytes float64
	TimeS float64
}

// Roofline is the best rate that the machine reached at something.
type Roofline struct {
	Name      string
	BytesPerS float64
}

// DrawSizeTime draws loads as points over their size. Both axes are logarithmic, so
// that a rate is a line.
func DrawSizeTime(d SizeTime) (*Picture, error) {
	if len(d.Loads) == 0 {
		return nil, fmt.Errorf("size and time: %w", errEmpty)
	}
	arms := make([]record.Arm, len(d.Loads))
	for i, l := range d.Loads {
		arms[i] = l.Arm
	}
	names := NameArms(arms)
	var series []string
	var sizes, times []float64
	for _, l := range d.Loads {
		if err := positive("size", names.Arm(l.Arm), l.Bytes); err != nil {
			return nil, fmt.Errorf("size and time: %w", err)
		}
		if err := positive("loading time", names.Arm(l.Arm), l.TimeS); err != nil {
			return nil, fmt.Errorf("size and time: %w", err)
		}
		series = appendNew(series, names.seriesAndConditions(l.Arm))
		sizes, times = append(sizes, l.Bytes), append(times, l.TimeS)
	}
	smallest, largest := minMax(sizes)
	for _, r := range d.Rooflines {
		if err := positive("roofline", r.Name, r.BytesPerS); err != nil {
			return nil, fmt.Errorf("size and time: %w", err)
		}
		times = append(times, smallest/r.BytesPerS, largest/r.BytesPerS)
	}
	shortest, longest := minMax(times)
	p := &chart.Panel{Height: 250, X: chart.LogAround("Size of the checkpoint", chart.BytesTick, smallest, largest), Y: chart.LogAround("Loading time", chart.TimeTick, shortest, longest)}
	fig := &chart.Figure{Title: "Loading time by size of " + Subject(arms), Subtitle: d.Subtitle, Panels: []*chart.Panel{p}, Legend: legend(series, chart.DotKey)}
	for i, r := range d.Rooflines {
		style := draw.LineStyle{Color: chart.Black, Width: 1, Dashes: chart.LookOf(i).Dashes}
		p.Paint = append(p.Paint, func(f chart.Frame) { drawRoofline(f, p.X, r, style) })
		fig.Legend = append(fig.Legend, chart.Key{Label: r.Name + ", " + chart.RateText(r.BytesPerS), Draw: func(c draw.Canvas, b vg.Rectangle) {
			y := (b.Min.Y + b.Max.Y) / 2
			chart.Stroke(c, style, vg.Point{X: b.Min.X, Y: y}, vg.Point{X: b.Max.X, Y: y})
		}})
	}
	p.Paint = append(p.Paint, func(f chart.Frame) { d.draw(f, p.X, names, series) })
	return &Picture{fig, d.rows(names)}, nil
}

func drawRoofline(f chart.Frame, x chart.Axis, r Roofline, style draw.LineStyle) {
	for _, part := range f.ClipLinesXY([]vg.Point{f.At(x.Low, x.Low/r.BytesPerS), f.At(x.High, x.High/r.BytesPerS)}) {
		chart.Stroke(f.Canvas, style, part...)
	}
}

// draw draws the points, and names models at their fastest loads.
func (d SizeTime) draw(f chart.Frame, x chart.Axis, names Names, series []string) {
	labels := chart.Labels{Within: f.Rectangle}
	for _, r := range d.Rooflines {
		labels.BlockLine(f.At(x.Low, x.Low/r.BytesPerS), f.At(x.High, x.High/r.BytesPerS))
	}
	var models []string
	fastest := map[string]vg.Point{}
	crowds := map[string]*crowd{}
	for _, l := range d.Loads {
		model, s := names.modelAndPlace(l.Arm), names.seriesAndConditions(l.Arm)
		models = appendNew(models, model)
		if crowds[s] == nil {
			crowds[s] = newCrowd(len(d.Loads), s)
		}
		pt := f.At(l.Bytes, l.TimeS)
		if crowds[s].take(pt) {
			text := joined(model, s) + "\n" + chart.ByteUnit(l.Bytes).Text(l.Bytes) + " in " + chart.TimeText(l.TimeS) + ", " + chart.RateText(l.Bytes/l.TimeS)
			f.Point(chart.LookOf(slices.Index(series, s)), pt, 2.8, text)
		}
		labels.Block(pt, 3)
		if before, ok := fastest[model]; !ok || pt.Y < before.Y {
			fastest[model] = pt
		}
	}
	if len(models) == 1 {
		return // the title names it
	}
	face := canvas.Regular(chart.SmallSize)
	for i, name := range canvas.ShortenAll(face, models, f.Size().X*0.3) {
		labels.Put(f.Canvas, face, fastest[models[i]], canvas.Printable(name))
	}
}

func (d SizeTime) rows(names Names) [][]string {
	rows := [][]string{{"kind", "model", "arm", "bytes", "loading_time_s", "bytes_per_s"}}
	for _, l := range d.Loads {
		rows = append(rows, []string{"load", names.modelAndPlace(l.Arm), names.seriesAndConditions(l.Arm), number(l.Bytes), number(l.TimeS), number(l.Bytes / l.TimeS)})
	}
	for _, r := range d.Rooflines {
		rows = append(rows, []string{"roofline", "", r.Name, "", "", number(r.BytesPerS)})
	}
	return rows
}
