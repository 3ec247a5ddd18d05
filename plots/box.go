package plots

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
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
	p := &panel{x: around("Loading time", timeUnit, low, high), y: rows.axis(), height: rows.height(21), least: vg.Length(rows.high) * 10}
	u := timeUnit(high)
	if spread(low, high) {
		p.x = logAround("Loading time", timeTick, low, high)
	}
	p.head = "median (" + u.name + "), loads"
	random := rand.New(rand.NewPCG(d.Seed, 0))
	for _, row := range rows.rows {
		times := slices.Clone(row.item.TimesS)
		slices.Sort(times)
		scatter := make([]float64, len(times))
		for i := range scatter {
			scatter[i] = random.Float64()
		}
		p.aside = append(p.aside, tick{row.y, u.format(quantile(times, 0.5)) + ", " + itoa(len(times))})
		p.paint = append(p.paint, func(f frame) {
			drawBox(f, row.y, times, scatter, lookOf(row.arm), named(row.item.Model, row.item.Arm), newCrowd(len(all), row.item.Model, row.item.Arm))
		})
	}
	fig := &figure{panels: []*panel{p}, legend: rows.swatches()}
	fig.title, fig.subtitle = d.or("Loading times of " + about(rows.models))
	fig.notes = []string{"Box: quartiles and median; whiskers: to the last load within 1.5 box lengths; points: every load."}
	if few {
		fig.notes[0] += " Fewer than " + itoa(fewest) + " loads have no box."
	}
	return &Picture{fig, d.rows()}, nil
}

func drawBox(f frame, y float64, times, scatter []float64, l look, name string, crowd *crowd) {
	r := vg.Length(1.7)
	if len(times) > 200 {
		r = 1.1
	}
	for i, t := range times {
		if pt := f.at(t, y+0.12+0.34*scatter[i]); crowd.free(pt) {
			f.point(l, pt, r, crowd.name+timeText(t))
		}
	}
	middle := quantile(times, 0.5)
	top, bottom := y-0.4, y
	if len(times) >= fewest {
		q1, q3 := quantile(times, 0.25), quantile(times, 0.75)
		low, high := fences(times, q1, q3)
		centre := f.y((top + bottom) / 2)
		whisker(f.Canvas, f.x(low), f.x(q1), centre, 2.5)
		whisker(f.Canvas, f.x(q3), f.x(high), centre, 2.5)
		box := vg.Rectangle{Min: f.at(q1, bottom), Max: f.at(q3, top)}
		text := fmt.Sprintf("%s\nmedian %s, quartiles %s and %s\nwhiskers %s and %s, %s", name, timeText(middle), timeText(q1), timeText(q3), timeText(low), timeText(high), plural(len(times), "load", "loads"))
		f.tell(text, func() { filled(f.Canvas, box, tint(l.ink, 0.35), l.hatch) })
	}
	for _, s := range []draw.LineStyle{{Color: white, Width: 2.6}, {Color: black, Width: 1.4}} {
		stroke(f.Canvas, s, f.at(middle, bottom), f.at(middle, top))
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
			rows = append(rows, []string{s.Model, s.Arm, itoa(i), number(t)})
		}
	}
	return rows
}
