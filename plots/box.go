package plots

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/chart"
)

// Box are all loading times as boxes with their points.
type Box struct {
	Caption
	Series []Series
	Seed   uint64 // of the points' scatter, so that a picture can be made again
}

// fewest is the number of loads below which quartiles say nothing.
const fewest = 5

// DrawBox draws for each arm a box from quartile to quartile with the median in
// it, whiskers to the last load within 1.5 times the box's length, and below it
// every load as a point.
func DrawBox(d Box) (*Picture, error) {
	rows, err := arrangeSeries(d.Series)
	if err != nil {
		return nil, fmt.Errorf("box: %w", err)
	}
	var all []float64
	few := false
	for _, s := range d.Series {
		all = append(all, s.TimesS...)
		few = few || len(s.TimesS) < fewest
	}
	low, high := minMax(all)
	p := &chart.Panel{X: chart.Around("Loading time", chart.TimeUnit, low, high), Y: rows.axis(), Height: rows.height(21), MinHeight: vg.Length(rows.high) * 10}
	u := chart.TimeUnit(high)
	if chart.NeedsLog(low, high) {
		p.X = chart.LogAround("Loading time", chart.TimeTick, low, high)
	}
	p.SideTitle = "median (" + u.Name + "), loads"
	random := rand.New(rand.NewPCG(d.Seed, 0))
	for _, row := range rows.rows {
		times := slices.Clone(row.item.TimesS)
		slices.Sort(times)
		scatter := make([]float64, len(times))
		for i := range scatter {
			scatter[i] = random.Float64()
		}
		p.Side = append(p.Side, chart.Tick{Value: row.y, Label: u.Format(quantile(times, 0.5)) + ", " + strconv.Itoa(len(times))})
		p.Paint = append(p.Paint, func(f chart.Frame) {
			drawBox(f, row.y, times, scatter, chart.LookOf(row.arm), named(row.item.Model, row.item.Arm), newCrowd(len(all), row.item.Model, row.item.Arm))
		})
	}
	fig := &chart.Figure{Panels: []*chart.Panel{p}, Legend: rows.swatches()}
	fig.Title, fig.Subtitle = d.or("Loading times of " + about(rows.models))
	fig.Notes = []string{"Box: quartiles and median; whiskers: to the last load within 1.5 box lengths; points: every load."}
	if few {
		fig.Notes[0] += " Fewer than " + strconv.Itoa(fewest) + " loads have no box."
	}
	return &Picture{fig, d.rows()}, nil
}

func drawBox(f chart.Frame, y float64, times, scatter []float64, l chart.Look, name string, crowd *crowd) {
	r := vg.Length(1.7)
	if len(times) > 200 {
		r = 1.1
	}
	for i, t := range times {
		if pt := f.At(t, y+0.12+0.34*scatter[i]); crowd.free(pt) {
			f.Point(l, pt, r, crowd.name+chart.TimeText(t))
		}
	}
	middle := quantile(times, 0.5)
	top, bottom := y-0.4, y
	if len(times) >= fewest {
		q1, q3 := quantile(times, 0.25), quantile(times, 0.75)
		low, high := fences(times, q1, q3)
		centre := f.Y((top + bottom) / 2)
		chart.Whisker(f.Canvas, f.X(low), f.X(q1), centre, 2.5)
		chart.Whisker(f.Canvas, f.X(q3), f.X(high), centre, 2.5)
		box := vg.Rectangle{Min: f.At(q1, bottom), Max: f.At(q3, top)}
		text := fmt.Sprintf("%s\nmedian %s, quartiles %s and %s\nwhiskers %s and %s, %s", name, chart.TimeText(middle), chart.TimeText(q1), chart.TimeText(q3), chart.TimeText(low), chart.TimeText(high), plural(len(times), "load", "loads"))
		f.Hover(text, func() { chart.FillBox(f.Canvas, box, chart.Tint(l.Ink, 0.35), l.Hatch) })
	}
	for _, s := range []draw.LineStyle{{Color: chart.White, Width: 2.6}, {Color: chart.Black, Width: 1.4}} {
		chart.Stroke(f.Canvas, s, f.At(middle, bottom), f.At(middle, top))
	}
}

// fences are the outermost times within 1.5 box lengths of the box.
func fences(sorted []float64, q1, q3 float64) (low, high float64) {
	low, high = q1, q3
	for _, t := range sorted {
		if t >= q1-1.5*(q3-q1) && t <= q3+1.5*(q3-q1) {
			low, high = math.Min(low, t), math.Max(high, t)
		}
	}
	return low, high
}

// quantile is interpolated between the neighbours, as DuckDB's quantile_cont is.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

func (d Box) rows() [][]string {
	rows := [][]string{{"model", "arm", "load", "loading_time_s"}}
	for _, s := range d.Series {
		for i, t := range s.TimesS {
			rows = append(rows, []string{s.Model, s.Arm, strconv.Itoa(i), number(t)})
		}
	}
	return rows
}
