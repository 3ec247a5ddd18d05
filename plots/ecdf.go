package plots

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/vg"

	"github.com/sllmq/sllmq/plots/chart"
)

// ECDF are all loading times as empirical distributions, a model a panel.
type ECDF struct {
	Caption
	Series []Series
}

// Series are the loading times of an arm on a model.
type Series struct {
	Model, Arm string
	TimesS     []float64
}

// DrawECDF draws for each arm the part of its loads that took at most a time.
func DrawECDF(d ECDF) (*Picture, error) {
	rows, err := arrangeSeries(d.Series)
	if err != nil {
		return nil, fmt.Errorf("ecdf: %w", err)
	}
	fig := &chart.Figure{Columns: columnsFor(len(rows.models)), Legend: legend(rows.arms, chart.LineKey)}
	fig.Title, fig.Subtitle = d.or("Distribution of the loading time of " + about(rows.models))
	for m, model := range rows.models {
		var all []float64
		p := &chart.Panel{Y: chart.Axis{Label: "Part of loads", High: 1, Ticks: chart.LinearTicks(chart.Unit{Size: 1}), GridLines: true}, Height: 110}
		if len(rows.models) == 1 {
			p.Height = 190
		} else {
			p.Title = model
		}
		for _, row := range rows.rows {
			if row.model != m {
				continue
			}
			all = append(all, row.item.TimesS...)
			p.Paint = append(p.Paint, func(f chart.Frame) { drawSteps(f, row.item, chart.LookOf(row.arm)) })
		}
		low, high := minMax(all)
		p.X = chart.Around("Loading time", chart.TimeUnit, low, high)
		if chart.NeedsLog(low, high) {
			p.X = chart.LogAround("Loading time", chart.TimeTick, low, high)
		}
		fig.Panels = append(fig.Panels, p)
	}
	return &Picture{fig, d.rows()}, nil
}

// arrangeSeries checks series and finds their models and arms.
func arrangeSeries(all []Series) (*arrangement[Series], error) {
	for _, s := range all {
		if len(s.TimesS) == 0 {
			return nil, fmt.Errorf("%s, %s has no loads", s.Model, s.Arm)
		}
		if err := amounts(s.TimesS, "loading time", s.Model, s.Arm); err != nil {
			return nil, err
		}
	}
	return arrange(all, func(s Series) string { return s.Model }, func(s Series) string { return s.Arm })
}

// columnsFor is how many panels stand side by side.
func columnsFor(panels int) int {
	if panels == 2 || panels == 4 {
		return 2
	}
	return min(panels, 3)
}

// drawSteps draws a distribution from edge to edge, with a marker at its median.
func drawSteps(f chart.Frame, s Series, l chart.Look) {
	times := slices.Clone(s.TimesS)
	slices.Sort(times)
	line := []vg.Point{{X: f.Min.X, Y: f.Y(0)}}
	for i, t := range times {
		from, to := f.At(t, float64(i)/float64(len(times))), f.At(t, float64(i+1)/float64(len(times)))
		const hair = 0.3 // less than the line is wide
		if last := line[len(line)-1]; i < len(times)-1 && from.X-last.X < hair && to.Y-last.Y < hair {
			continue
		}
		line = append(line, from, to)
	}
	line = append(line, vg.Point{X: f.Max.X, Y: f.Y(1)})
	l.Stroke(f.Canvas, 1.4, line...)
	name := named(s.Model, s.Arm) + "\n"
	f.Point(l, f.At(quantile(times, 0.5), 0.5), 3, name+"median "+chart.TimeText(quantile(times, 0.5))+" of "+plural(len(times), "load", "loads"))
	const targets = 20
	for i := range targets + 1 {
		n := max(1, (len(times)*i+targets-1)/targets) // of the loads
		at := float64(n) / float64(len(times))
		f.HoverTarget(f.At(times[n-1], at), 3, name+chart.Digits(100*at)+" % of loads in at most "+chart.TimeText(times[n-1]))
	}
}

func (d ECDF) rows() [][]string {
	rows := [][]string{{"model", "arm", "loading_time_s", "part_of_loads"}}
	for _, s := range d.Series {
		times := slices.Clone(s.TimesS)
		slices.Sort(times)
		for i, t := range times {
			rows = append(rows, []string{s.Model, s.Arm, number(t), number(float64(i+1) / float64(len(times)))})
		}
	}
	return rows
}
