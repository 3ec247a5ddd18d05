package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/chart"
)

// Efficiency is how near loads came to what the machine could do: roofline time
// over loading time.
type Efficiency struct {
	Caption
	Arms []ArmEfficiency
}

// ArmEfficiency are the efficiencies of an arm's loads.
type ArmEfficiency struct {
	Model, Arm   string
	Efficiencies []float64
}

// DrawEfficiency draws a dot a load and a line at 1. Beyond it lies no speed but
// a mistake, so such loads are ringed and counted.
func DrawEfficiency(d Efficiency) (*Picture, error) {
	rows, err := arrange(d.Arms, func(a ArmEfficiency) string { return a.Model }, func(a ArmEfficiency) string { return a.Arm })
	if err != nil {
		return nil, fmt.Errorf("efficiency: %w", err)
	}
	highest, beyond, loads := 1.0, 0, 0
	for _, a := range d.Arms {
		if len(a.Efficiencies) == 0 {
			return nil, fmt.Errorf("efficiency: %s, %s has no loads", a.Model, a.Arm)
		}
		if err := amounts(a.Efficiencies, "efficiency", a.Model, a.Arm); err != nil {
			return nil, fmt.Errorf("efficiency: %w", err)
		}
		loads += len(a.Efficiencies)
		for _, e := range a.Efficiencies {
			highest = math.Max(highest, e)
			if e > 1 {
				beyond++
			}
		}
	}
	p := &chart.Panel{X: chart.Axis{Label: "Efficiency (roofline time / loading time)", High: highest * 1.08, Ticks: chart.LinearTicks(chart.Unit{Size: 1}), GridLines: true}, Y: rows.axis(), Height: rows.height(14), MinHeight: vg.Length(rows.high) * 9, SideTitle: "median"}
	p.Paint = append(p.Paint, roofAtOne)
	for _, row := range rows.rows {
		sorted := slices.Sorted(slices.Values(row.item.Efficiencies))
		p.Side = append(p.Side, chart.Tick{Value: row.y, Label: chart.Digits(quantile(sorted, 0.5))})
		p.Paint = append(p.Paint, func(f chart.Frame) {
			drawEfficiencies(f, row.y, sorted, chart.LookOf(row.arm), newCrowd(loads, row.item.Model, row.item.Arm))
		})
	}
	fig := &chart.Figure{Panels: []*chart.Panel{p}}
	if len(rows.models) > 1 {
		fig.Legend = legend(rows.arms, chart.DotKey)
	}
	fig.Legend = append(fig.Legend, chart.MarkKey("median", chart.Diamond, medianRadius, chart.White), chart.RuleKey("roofline", rooflineStyle()))
	if beyond > 0 {
		fig.Legend = append(fig.Legend, chart.Key{Label: "over 1", Draw: func(c draw.Canvas, r vg.Rectangle) {
			ring(c, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2})
		}})
		fig.Notes = []string{plural(beyond, "load is", "loads are") + " faster than the roofline: a label or the roofline is wrong."}
	}
	fig.Title, fig.Subtitle = d.or("Efficiency of loading " + about(rows.models))
	return &Picture{fig, d.rows()}, nil
}

// roofAtOne draws the roofline, and hatches what should be empty.
func roofAtOne(f chart.Frame) {
	chart.HatchBox(f.Canvas, vg.Rectangle{Min: vg.Point{X: f.X(1), Y: f.Min.Y}, Max: f.Max}, chart.Faint, chart.Rising)
	f.Rule(1, rooflineStyle())
}

func rooflineStyle() draw.LineStyle { return draw.LineStyle{Color: chart.Black, Width: 1.4} }

// medianRadius lets the median stand out of the dots that it lies among.
const medianRadius = 3.4

func drawEfficiencies(f chart.Frame, y float64, sorted []float64, l chart.Look, crowd *crowd) {
	middle := quantile(sorted, 0.5)
	chart.Stroke(f.Canvas, draw.LineStyle{Color: chart.Soft, Width: 0.6}, f.At(sorted[0], y), f.At(sorted[len(sorted)-1], y))
	for _, e := range sorted {
		if !crowd.free(f.At(e, y)) {
			continue
		}
		f.Point(l, f.At(e, y), 2.3, crowd.name+chart.Digits(e)+" of the roofline")
		if e > 1 {
			ring(f.Canvas, f.At(e, y))
		}
	}
	chart.Diamond.Draw(f.Canvas, f.At(middle, y), medianRadius, chart.White)
}

func ring(c draw.Canvas, pt vg.Point) {
	for _, s := range []draw.LineStyle{{Color: chart.White, Width: 2.2}, {Color: chart.LookOf(4).Ink, Width: 1.4}} {
		var path vg.Path
		path.Move(vg.Point{X: pt.X + 4.2, Y: pt.Y})
		path.Arc(pt, 4.2, 0, 2*math.Pi)
		c.SetLineStyle(s)
		c.Stroke(path)
	}
}

func (d Efficiency) rows() [][]string {
	rows := [][]string{{"model", "arm", "load", "efficiency"}}
	for _, a := range d.Arms {
		for i, e := range a.Efficiencies {
			rows = append(rows, []string{a.Model, a.Arm, strconv.Itoa(i), number(e)})
		}
	}
	return rows
}
