package plots

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/vg"

	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

// ECDF are loading times as empirical distributions.
type ECDF struct {
	Subtitle string
	Series   []Series
	Looks    Looks
}

// Series are the loading times of an arm.
type Series struct {
	record.Arm
	TimesS []float64 // in the order of the loads
}

// DrawECDF draws a panel per group and in it a line per arm: the share of its loads
// that took at most a time.
func DrawECDF(d ECDF) (*Picture, error) {
	rows, err := arrangeSeries(d.Series, d.Looks)
	if err != nil {
		return nil, fmt.Errorf("ecdf: %w", err)
	}
	fig := &chart.Figure{Title: "Distribution of the loading time of " + rows.subject, Subtitle: d.Subtitle, Columns: columnsFor(len(rows.groups)), Legend: rows.legend(chart.LineKey)}
	for g, group := range rows.groups {
		var all []float64
		p := &chart.Panel{Title: group, Y: chart.Axis{Label: "Share of loads", High: 1, Ticks: chart.LinearTicks(chart.Unit{Size: 1}), GridLines: true}, Height: 110}
		if len(rows.groups) == 1 {
			p.Title, p.Height = "", 190
		}
		for _, row := range rows.inGroup(g) {
			all = append(all, row.item.TimesS...)
			p.Paint = append(p.Paint, func(f chart.Frame) { drawSteps(f, row.item, row.name, row.look) })
		}
		low, high := minMax(all)
		p.X = loadingTimeAxis(low, high)
		fig.Panels = append(fig.Panels, p)
	}
	return &Picture{fig, d.rows(rows.names)}, nil
}

// arrangeSeries arranges and checks series.
func arrangeSeries(list []Series, looks Looks) (*arrangement[Series], error) {
	rows, err := arrange(list, looks, func(s Series) record.Arm { return s.Arm })
	if err != nil {
		return nil, err
	}
	for _, row := range rows.rows {
		if len(row.item.TimesS) == 0 {
			return nil, fmt.Errorf("%s has no loads", row.name)
		}
		if err := amounts("loading time", row.name, row.item.TimesS...); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// loadingTimeAxis is an axis for times in seconds, logarithmic if they need it.
func loadingTimeAxis(low, high float64) chart.Axis {
	if chart.NeedsLog(low, high) {
		return chart.LogAround("Loading time", chart.TimeTick, low, high)
	}
	return chart.Around("Loading time", chart.TimeUnit, low, high)
}

// columnsFor is how many panels stand side by side.
func columnsFor(panels int) int {
	if panels == 2 || panels == 4 {
		return 2
	}
	return min(panels, 3)
}

// drawSteps draws a distribution from edge to edge, with a marker at its median.
func drawSteps(f chart.Frame, s Series, name string, l chart.Look) {
	times := slices.Sorted(slices.Values(s.TimesS))
	line := []vg.Point{{X: f.Min.X, Y: f.Y(0)}}
	for i, t := range times {
		from, to := f.At(t, float64(i)/float64(len(times))), f.At(t, float64(i+1)/float64(len(times)))
		const hair = 0.3 // narrower than the line
		if last := line[len(line)-1]; i < len(times)-1 && from.X-last.X < hair && to.Y-last.Y < hair {
			continue
		}
		line = append(line, from, to)
	}
	line = append(line, vg.Point{X: f.Max.X, Y: f.Y(1)})
	l.Stroke(f.Canvas, 1.4, line...)
	median := stats.Median(times)
	f.Point(l, f.At(median, 0.5), 3, name+"\nmedian "+chart.TimeText(median)+" of "+plural(len(times), "load", "loads"))
	const targets = 20
	for i := range targets + 1 {
		n := max(1, (len(times)*i+targets-1)/targets) // loads
		share := float64(n) / float64(len(times))
		f.HoverTarget(f.At(times[n-1], share), 3, name+"\n"+chart.Digits(100*share)+" % of loads in at most "+chart.TimeText(times[n-1]))
	}
}

func (d ECDF) rows(names Names) [][]string {
	rows := [][]string{{"model", "arm", "loading_time_s", "part_of_loads"}}
	for _, s := range d.Series {
		times := slices.Sorted(slices.Values(s.TimesS))
		for i, t := range times {
			rows = append(rows, []string{names.group(s.Arm), names.series(s.Arm), number(t), number(float64(i+1) / float64(len(times)))})
		}
	}
	return rows
}
