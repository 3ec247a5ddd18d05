package plots

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/vg"
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
	fig := &figure{columns: columnsFor(len(rows.models)), legend: rows.lines()}
	fig.title, fig.subtitle = d.or("Distribution of the loading time of " + about(rows.models))
	for m, model := range rows.models {
		var all []float64
		p := &panel{y: axis{label: "Part of loads", high: 1, ticks: linearTicks(unit{size: 1}), lines: true}, height: 110}
		if len(rows.models) == 1 {
			p.height = 190
		} else {
			p.title = model
		}
		for _, row := range rows.rows {
			if row.model != m {
				continue
			}
			all = append(all, row.item.TimesS...)
			p.paint = append(p.paint, func(f frame) { drawSteps(f, row.item, lookOf(row.arm)) })
		}
		low, high := minMax(all)
		p.x = around("Loading time", timeUnit, low, high)
		if spread(low, high) {
			p.x = logAround("Loading time", timeTick, low, high)
		}
		fig.panels = append(fig.panels, p)
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
func drawSteps(f frame, s Series, l look) {
	times := slices.Clone(s.TimesS)
	slices.Sort(times)
	line := []vg.Point{{X: f.Min.X, Y: f.y(0)}}
	for i, t := range times {
		from, to := f.at(t, float64(i)/float64(len(times))), f.at(t, float64(i+1)/float64(len(times)))
		const hair = 0.3 // less than the line is wide
		if last := line[len(line)-1]; i < len(times)-1 && from.X-last.X < hair && to.Y-last.Y < hair {
			continue
		}
		line = append(line, from, to)
	}
	line = append(line, vg.Point{X: f.Max.X, Y: f.y(1)})
	l.stroke(f.Canvas, 1.4, line...)
	name := named(s.Model, s.Arm) + "\n"
	f.point(l, f.at(quantile(times, 0.5), 0.5), 3, name+"median "+timeText(quantile(times, 0.5))+" of "+plural(len(times), "load", "loads"))
	const targets = 20
	for i := range targets + 1 {
		n := max(1, (len(times)*i+targets-1)/targets) // of the loads
		at := float64(n) / float64(len(times))
		f.target(f.at(times[n-1], at), 3, name+digits(100*at)+" % of loads in at most "+timeText(times[n-1]))
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
