package plots

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
	"github.com/sllmq/sllmq/plots/chart"
)

// SizeTime is how loading time grows with the model.
type SizeTime struct {
	Caption
	Loads     []SizedLoad
	Rooflines []Roofline
}

// SizedLoad is a load, or the middle of several.
type SizedLoad struct {
	Model, Arm string
	Bytes      float64
	TimeS      float64
}

// Roofline is the best that the machine could do.
type Roofline struct {
	Name    string
	BytesPS float64
}

// DrawSizeTime draws loads as points over their size, both axes logarithmic, so
// that a rate is a line.
func DrawSizeTime(d SizeTime) (*Picture, error) {
	if len(d.Loads) == 0 {
		return nil, fmt.Errorf("size and time: %w", errEmpty)
	}
	var models, arms []string
	var sizes, times []float64
	for _, l := range d.Loads {
		if err := positive(l.Bytes, "size", l.Model, l.Arm); err != nil {
			return nil, fmt.Errorf("size and time: %w", err)
		}
		if err := positive(l.TimeS, "loading time", l.Model, l.Arm); err != nil {
			return nil, fmt.Errorf("size and time: %w", err)
		}
		models, arms = appendNew(models, l.Model), appendNew(arms, l.Arm)
		sizes, times = append(sizes, l.Bytes), append(times, l.TimeS)
	}
	smallest, largest := minMax(sizes)
	for _, r := range d.Rooflines {
		if err := positive(r.BytesPS, "roofline", r.Name); err != nil {
			return nil, fmt.Errorf("size and time: %w", err)
		}
		times = append(times, smallest/r.BytesPS, largest/r.BytesPS)
	}
	shortest, longest := minMax(times)
	p := &chart.Panel{Height: 250, X: chart.LogAround("Size of the checkpoint", chart.BytesTick, smallest, largest), Y: chart.LogAround("Loading time", chart.TimeTick, shortest, longest)}
	fig := &chart.Figure{Panels: []*chart.Panel{p}, Legend: legend(arms, chart.DotKey)}
	for i, r := range d.Rooflines {
		style := draw.LineStyle{Color: chart.Black, Width: 1, Dashes: chart.LookOf(i).Dashes}
		p.Paint = append(p.Paint, func(f chart.Frame) { drawRoofline(f, p.X, r, style) })
		fig.Legend = append(fig.Legend, chart.Key{Label: r.Name + ", " + chart.RateText(r.BytesPS), Draw: func(c draw.Canvas, b vg.Rectangle) {
			y := (b.Min.Y + b.Max.Y) / 2
			chart.Stroke(c, style, vg.Point{X: b.Min.X, Y: y}, vg.Point{X: b.Max.X, Y: y})
		}})
	}
	p.Paint = append(p.Paint, func(f chart.Frame) { d.draw(f, p.X, models, arms) })
	fig.Title, fig.Subtitle = d.or("Loading time by size of " + about(models))
	return &Picture{fig, d.rows()}, nil
}

func drawRoofline(f chart.Frame, x chart.Axis, r Roofline, style draw.LineStyle) {
	for _, part := range f.ClipLinesXY([]vg.Point{f.At(x.Low, x.Low/r.BytesPS), f.At(x.High, x.High/r.BytesPS)}) {
		chart.Stroke(f.Canvas, style, part...)
	}
}

// draw draws the points, and names the models at their fastest loads.
func (d SizeTime) draw(f chart.Frame, x chart.Axis, models, arms []string) {
	beside := chart.Labels{Within: f.Rectangle}
	for _, r := range d.Rooflines {
		beside.BlockLine(f.At(x.Low, x.Low/r.BytesPS), f.At(x.High, x.High/r.BytesPS))
	}
	fastest := map[string]vg.Point{}
	crowds := make([]*crowd, len(arms))
	for _, l := range d.Loads {
		pt := f.At(l.Bytes, l.TimeS)
		arm := slices.Index(arms, l.Arm)
		if crowds[arm] == nil {
			crowds[arm] = newCrowd(len(d.Loads), "", "")
		}
		if crowds[arm].free(pt) {
			f.Point(chart.LookOf(arm), pt, 2.8, named(l.Model, l.Arm)+"\n"+chart.ByteUnit(l.Bytes).Text(l.Bytes)+" in "+chart.TimeText(l.TimeS)+", "+chart.RateText(l.Bytes/l.TimeS))
		}
		beside.Block(pt, 3)
		if before, ok := fastest[l.Model]; !ok || pt.Y < before.Y {
			fastest[l.Model] = pt
		}
	}
	if len(models) == 1 {
		return // the title names it
	}
	face := canvas.Regular(chart.SmallSize)
	for i, name := range canvas.ShortenAll(face, models, f.Size().X*0.3) {
		beside.Put(f.Canvas, face, fastest[models[i]], canvas.Printable(name))
	}
}

func (d SizeTime) rows() [][]string {
	rows := [][]string{{"kind", "model", "arm", "bytes", "loading_time_s", "bytes_per_s"}}
	for _, l := range d.Loads {
		rows = append(rows, []string{"load", l.Model, l.Arm, number(l.Bytes), number(l.TimeS), number(l.Bytes / l.TimeS)})
	}
	for _, r := range d.Rooflines {
		rows = append(rows, []string{"roofline", "", r.Name, "", "", number(r.BytesPS)})
	}
	return rows
}
