package plots

import (
	"fmt"
	"slices"
	"strings"

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
	Looks     Looks
}

// SizedLoad is a load, or the median of several.
type SizedLoad struct {
	record.Arm
	Bytes float64
	TimeS float64
}

// Roofline is the best rate that a machine reached at something.
type Roofline struct {
	Machine   string
	Name      string
	BytesPerS float64
}

// sizePanel is the loads of one machine under the same conditions, with the machine's
// rooflines.
type sizePanel struct {
	title     string
	loads     []placedLoad
	rooflines []Roofline
}

// placedLoad is a load with its names and look.
type placedLoad struct {
	SizedLoad
	model, series string
	look          chart.Look
}

// DrawSizeTime draws loads as points over their size, with a panel for each machine
// and its conditions, so that points stand beside rooflines of their own machine
// only. Both axes are logarithmic, so that a rate is a line, and the same in all
// panels.
func DrawSizeTime(d SizeTime) (*Picture, error) {
	if len(d.Loads) == 0 {
		return nil, fmt.Errorf("size and time: %w", errEmpty)
	}
	arms := make([]record.Arm, len(d.Loads))
	for i, l := range d.Loads {
		arms[i] = l.Arm
	}
	names := NameArms(arms)
	own := d.Looks.of(arms)
	fig := &chart.Figure{Title: "Loading time by size of " + Subject(arms), Subtitle: d.Subtitle}
	var panels []*sizePanel
	var machines, series []string
	var sizes, times []float64
	for i, l := range d.Loads {
		if err := positive("size", names.Arm(l.Arm), l.Bytes); err != nil {
			return nil, fmt.Errorf("size and time: %w", err)
		}
		if err := positive("loading time", names.Arm(l.Arm), l.TimeS); err != nil {
			return nil, fmt.Errorf("size and time: %w", err)
		}
		at := placedLoad{l, names.model(l.Arm), names.series(l.Arm), own[i]}
		if !slices.Contains(series, at.series) {
			series = append(series, at.series)
			fig.Legend = append(fig.Legend, chart.DotKey(at.series, at.look))
		}
		title := names.conditionsAndPlace(l.Arm)
		in := slices.IndexFunc(panels, func(p *sizePanel) bool { return p.title == title })
		if in < 0 {
			in = len(panels)
			panels = append(panels, &sizePanel{title: title, rooflines: d.rooflinesOf(l.Machine)})
		}
		panels[in].loads = append(panels[in].loads, at)
		machines = appendNew(machines, l.Machine)
		sizes, times = append(sizes, l.Bytes), append(times, l.TimeS)
	}
	smallest, largest := minMax(sizes)
	var kinds []string
	for _, r := range d.Rooflines {
		if err := positive("roofline", r.Name, r.BytesPerS); err != nil {
			return nil, fmt.Errorf("size and time: %w", err)
		}
		if slices.Contains(machines, r.Machine) {
			kinds = appendNew(kinds, r.Name)
			times = append(times, smallest/r.BytesPerS, largest/r.BytesPerS)
		}
	}
	shortest, longest := minMax(times)
	x, y := chart.LogAround("Size of the checkpoint", chart.BytesTick, smallest, largest), chart.LogAround("Loading time", chart.TimeTick, shortest, longest)
	fig.Columns = columnsFor(len(panels))
	for _, p := range panels {
		drawn := &chart.Panel{Title: p.title, Height: 160, X: x, Y: y}
		if len(panels) == 1 {
			drawn.Title, drawn.Height = "", 250
		}
		drawn.Paint = append(drawn.Paint, func(f chart.Frame) { p.draw(f, x, len(d.Loads)) })
		fig.Panels = append(fig.Panels, drawn)
	}
	for _, kind := range kinds {
		label := kind
		if len(machines) == 1 {
			label += ", " + d.rate(machines[0], kind)
		}
		fig.Legend = append(fig.Legend, chart.Key{Label: label, Draw: func(c draw.Canvas, b vg.Rectangle) {
			y := (b.Min.Y + b.Max.Y) / 2
			chart.Stroke(c, roofOf(kind), vg.Point{X: b.Min.X, Y: y}, vg.Point{X: b.Max.X, Y: y})
		}})
	}
	if len(machines) > 1 {
		for _, m := range machines {
			fig.Notes = append(fig.Notes, d.rooflineNote(m))
		}
	}
	return &Picture{fig, d.rows(names)}, nil
}

// rooflinesOf are the rooflines of a machine.
func (d SizeTime) rooflinesOf(machine string) (list []Roofline) {
	for _, r := range d.Rooflines {
		if r.Machine == machine {
			list = append(list, r)
		}
	}
	return list
}

// rate is a machine's roofline of a kind.
func (d SizeTime) rate(machine, kind string) string {
	for _, r := range d.rooflinesOf(machine) {
		if r.Name == kind {
			return chart.RateText(r.BytesPerS)
		}
	}
	return ""
}

// rooflineNote lists the rooflines of a machine.
func (d SizeTime) rooflineNote(machine string) string {
	var parts []string
	for _, r := range d.rooflinesOf(machine) {
		parts = append(parts, r.Name+" "+chart.RateText(r.BytesPerS))
	}
	if parts == nil {
		return "No rooflines of " + machine + " were measured."
	}
	return "Rooflines of " + machine + ": " + strings.Join(parts, ", ") + "."
}

// roofOf is the line of a kind of roofline, the same in every picture.
func roofOf(kind string) draw.LineStyle {
	i := slices.Index([]string{"storage read", "memory copy", "host to device"}, kind)
	if i < 0 {
		i = 3
	}
	return draw.LineStyle{Color: chart.Black, Width: 1, Dashes: chart.LookOf(i).Dashes}
}

// draw draws rooflines and points, and names models at their fastest loads.
func (p *sizePanel) draw(f chart.Frame, x chart.Axis, marks int) {
	labels := chart.Labels{Within: f.Rectangle}
	for _, r := range p.rooflines {
		from, to := f.At(x.Low, x.Low/r.BytesPerS), f.At(x.High, x.High/r.BytesPerS)
		for _, part := range f.ClipLinesXY([]vg.Point{from, to}) {
			f.Hover(r.Name+" of "+r.Machine+"\n"+chart.RateText(r.BytesPerS), func() { chart.Stroke(f.Canvas, roofOf(r.Name), part...) })
		}
		labels.BlockLine(from, to)
	}
	var models []string
	fastest := map[string]vg.Point{}
	crowds := map[string]*crowd{}
	for _, l := range p.loads {
		models = appendNew(models, l.model)
		if crowds[l.series] == nil {
			crowds[l.series] = newCrowd(marks, l.series)
		}
		pt := f.At(l.Bytes, l.TimeS)
		if crowds[l.series].take(pt) {
			text := joined(l.model, l.series) + "\n" + chart.ByteUnit(l.Bytes).Text(l.Bytes) + " in " + chart.TimeText(l.TimeS) + ", " + chart.RateText(l.Bytes/l.TimeS)
			f.Point(l.look, pt, 2.8, text)
		}
		labels.Block(pt, 3)
		if before, ok := fastest[l.model]; !ok || pt.Y < before.Y {
			fastest[l.model] = pt
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
	rows := [][]string{{"kind", "machine", "model", "arm", "bytes", "loading_time_s", "bytes_per_s"}}
	for _, l := range d.Loads {
		rows = append(rows, []string{"load", l.Machine, names.group(l.Arm), names.series(l.Arm), number(l.Bytes), number(l.TimeS), number(l.Bytes / l.TimeS)})
	}
	for _, r := range d.Rooflines {
		rows = append(rows, []string{"roofline", r.Machine, "", r.Name, "", "", number(r.BytesPerS)})
	}
	return rows
}
