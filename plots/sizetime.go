package plots

import (
	"fmt"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
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
	p := &panel{height: 250, x: logAround("Size of the checkpoint", bytesTick, smallest, largest), y: logAround("Loading time", timeTick, shortest, longest)}
	fig := &figure{panels: []*panel{p}, legend: (&arrangement[SizedLoad]{arms: arms}).dots()}
	for i, r := range d.Rooflines {
		style := draw.LineStyle{Color: black, Width: 1, Dashes: lookOf(i).dashes}
		p.paint = append(p.paint, func(f frame) { drawRoofline(f, p.x, r, style) })
		fig.legend = append(fig.legend, key{r.Name + ", " + rateText(r.BytesPS), func(c draw.Canvas, b vg.Rectangle) {
			y := (b.Min.Y + b.Max.Y) / 2
			stroke(c, style, vg.Point{X: b.Min.X, Y: y}, vg.Point{X: b.Max.X, Y: y})
		}})
	}
	p.paint = append(p.paint, func(f frame) { d.draw(f, p.x, models, arms) })
	fig.title, fig.subtitle = d.or("Loading time by size of " + about(models))
	return &Picture{fig, d.rows()}, nil
}

func drawRoofline(f frame, x axis, r Roofline, style draw.LineStyle) {
	for _, part := range f.ClipLinesXY([]vg.Point{f.at(x.low, x.low/r.BytesPS), f.at(x.high, x.high/r.BytesPS)}) {
		stroke(f.Canvas, style, part...)
	}
}

// draw draws the points, and names the models at their fastest loads.
func (d SizeTime) draw(f frame, x axis, models, arms []string) {
	beside := labels{within: f.Rectangle}
	for _, r := range d.Rooflines {
		beside.blockLine(f.at(x.low, x.low/r.BytesPS), f.at(x.high, x.high/r.BytesPS))
	}
	fastest := map[string]vg.Point{}
	crowds := make([]*crowd, len(arms))
	for _, l := range d.Loads {
		pt := f.at(l.Bytes, l.TimeS)
		arm := indexOf(arms, l.Arm)
		if crowds[arm] == nil {
			crowds[arm] = newCrowd(len(d.Loads), "", "")
		}
		if crowds[arm].free(pt) {
			f.point(lookOf(arm), pt, 2.8, named(l.Model, l.Arm)+"\n"+byteUnit(l.Bytes).with(l.Bytes)+" in "+timeText(l.TimeS)+", "+rateText(l.Bytes/l.TimeS))
		}
		beside.block(pt, 3)
		if before, ok := fastest[l.Model]; !ok || pt.Y < before.Y {
			fastest[l.Model] = pt
		}
	}
	if len(models) == 1 {
		return // the title names it
	}
	face := regular(smallSize)
	for i, name := range shortenAll(face, models, f.Size().X*0.3) {
		beside.put(f.Canvas, face, fastest[models[i]], printable(name))
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
