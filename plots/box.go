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
	"github.com/sllmq/sllmq/queries/stats"
)

// Box are loading times as boxes with their points.
type Box struct {
	Subtitle string
	Series   []Series
	Seed     uint64 // of the points' vertical scatter
	Looks    Looks
}

// fewest is the number of loads from which quartiles mean something.
const fewest = 5

// DrawBox draws a box per arm from the first to the third quartile with the median
// in it, whiskers to the last load within 1.5 times the box's length, and below it
// every load as a point.
func DrawBox(d Box) (*Picture, error) {
	rows, err := arrangeSeries(d.Series, d.Looks)
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
	u := chart.TimeUnit(high)
	p := &chart.Panel{X: loadingTimeAxis(low, high), Y: rows.axis(), Height: rows.panelHeight(21), MinHeight: rows.minHeight(10), SideTitle: "median (" + u.Name + "), loads"}
	random := rand.New(rand.NewPCG(d.Seed, 0))
	for _, row := range rows.rows {
		times := slices.Sorted(slices.Values(row.item.TimesS))
		scatter := make([]float64, len(times))
		for i := range scatter {
			scatter[i] = random.Float64()
		}
		p.Side = append(p.Side, chart.Tick{Value: row.y, Label: u.Format(stats.Median(times)) + ", " + strconv.Itoa(len(times))})
		p.Paint = append(p.Paint, func(f chart.Frame) {
			look := row.look
			drawPoints(f, row.y, times, scatter, look, newCrowd(len(all), row.name))
			drawBox(f, row.y, times, look, row.name)
		})
	}
	fig := &chart.Figure{Title: "Loading times of " + rows.subject, Subtitle: d.Subtitle, Panels: []*chart.Panel{p}, Legend: rows.swatches()}
	note := "Box: quartiles and median; whiskers: to the last load within 1.5 box lengths; points: every load."
	if few {
		note += " Arms with fewer than " + strconv.Itoa(fewest) + " loads have no box."
	}
	fig.Notes = []string{note}
	return &Picture{fig, d.rows(rows.names)}, nil
}

// drawPoints draws a point per load below y.
func drawPoints(f chart.Frame, y float64, times, scatter []float64, l chart.Look, crowd *crowd) {
	r := vg.Length(1.7)
	if len(times) > 200 {
		r = 1.1
	}
	for i, t := range times {
		if pt := f.At(t, y+0.12+0.34*scatter[i]); crowd.take(pt) {
			f.Point(l, pt, r, crowd.name+chart.TimeText(t))
		}
	}
}

// drawBox draws the box above y if there are enough loads for one, and the median.
func drawBox(f chart.Frame, y float64, times []float64, l chart.Look, name string) {
	median := stats.Median(times)
	top, bottom := y-0.4, y
	if len(times) >= fewest {
		q1, q3 := stats.Quantile(times, 0.25), stats.Quantile(times, 0.75)
		low, high := fences(times, q1, q3)
		middle := f.Y((top + bottom) / 2)
		chart.Whisker(f.Canvas, f.X(low), f.X(q1), middle, 2.5)
		chart.Whisker(f.Canvas, f.X(q3), f.X(high), middle, 2.5)
		box := vg.Rectangle{Min: f.At(q1, bottom), Max: f.At(q3, top)}
		text := fmt.Sprintf("%s\nmedian %s, quartiles %s and %s\nwhiskers %s and %s, %s", name, chart.TimeText(median), chart.TimeText(q1), chart.TimeText(q3), chart.TimeText(low), chart.TimeText(high), plural(len(times), "load", "loads"))
		f.Hover(text, func() { chart.FillBox(f.Canvas, box, chart.Tint(l.Ink, 0.35), l.Hatch) })
	}
	for _, s := range []draw.LineStyle{{Color: chart.White, Width: 2.6}, {Color: chart.Black, Width: 1.4}} {
		chart.Stroke(f.Canvas, s, f.At(median, bottom), f.At(median, top))
	}
}

// fences are the outermost times within 1.5 box lengths of the box.
func fences(times []float64, q1, q3 float64) (low, high float64) {
	low, high = q1, q3
	for _, t := range times {
		if t >= q1-1.5*(q3-q1) && t <= q3+1.5*(q3-q1) {
			low, high = math.Min(low, t), math.Max(high, t)
		}
	}
	return low, high
}

func (d Box) rows(names Names) [][]string {
	rows := [][]string{{"model", "arm", "load", "loading_time_s"}}
	for _, s := range d.Series {
		for i, t := range s.TimesS {
			rows = append(rows, []string{names.group(s.Arm), names.series(s.Arm), strconv.Itoa(i), number(t)})
		}
	}
	return rows
}
