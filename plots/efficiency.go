package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Efficiency is how close loads came to the roofline: roofline time over loading
// time.
type Efficiency struct {
	Subtitle string
	Arms     []ArmEfficiency
	Looks    Looks
}

// ArmEfficiency are the efficiencies of an arm's loads.
type ArmEfficiency struct {
	record.Arm
	Efficiencies []float64
}

// DrawEfficiency draws a dot per load, and the roofline at 1. A load cannot beat the
// roofline, so loads above 1 are ringed and counted as mistakes.
func DrawEfficiency(d Efficiency) (*Picture, error) {
	rows, err := arrange(d.Arms, d.Looks, func(a ArmEfficiency) record.Arm { return a.Arm })
	if err != nil {
		return nil, fmt.Errorf("efficiency: %w", err)
	}
	highest, above, loads := 1.0, 0, 0
	for _, row := range rows.rows {
		if len(row.item.Efficiencies) == 0 {
			return nil, fmt.Errorf("efficiency: %s has no loads", row.name)
		}
		if err := amounts("efficiency", row.name, row.item.Efficiencies...); err != nil {
			return nil, fmt.Errorf("efficiency: %w", err)
		}
		loads += len(row.item.Efficiencies)
		for _, e := range row.item.Efficiencies {
			highest = math.Max(highest, e)
			if e > 1 {
				above++
			}
		}
	}
	x := chart.Axis{Label: "Efficiency (roofline time / loading time)", High: highest * 1.08, Ticks: chart.LinearTicks(chart.Unit{Size: 1}), GridLines: true}
	p := &chart.Panel{X: x, Y: rows.axis(), Height: rows.panelHeight(14), MinHeight: rows.minHeight(9), SideTitle: "median"}
	p.Paint = append(p.Paint, drawRoofAtOne)
	for _, row := range rows.rows {
		sorted := slices.Sorted(slices.Values(row.item.Efficiencies))
		p.Side = append(p.Side, chart.Tick{Value: row.y, Label: chart.Digits(stats.Median(sorted))})
		p.Paint = append(p.Paint, func(f chart.Frame) {
			drawEfficiencies(f, row.y, sorted, row.look, newCrowd(loads, row.name))
		})
	}
	fig := &chart.Figure{Title: "Efficiency of loading " + rows.subject, Subtitle: d.Subtitle, Panels: []*chart.Panel{p}}
	if len(rows.groups) > 1 {
		fig.Legend = rows.legend(chart.DotKey)
	}
	fig.Legend = append(fig.Legend, chart.MarkKey("median", chart.Diamond, medianRadius, chart.White), chart.RuleKey("roofline", roofStyle()))
	if above > 0 {
		fig.Legend = append(fig.Legend, chart.Key{Label: "over 1", Draw: func(c draw.Canvas, r vg.Rectangle) {
			drawRing(c, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2})
		}})
		fig.Notes = []string{plural(above, "load is", "loads are") + " faster than the roofline: a label or the roofline is wrong."}
	}
	return &Picture{fig, d.rows(rows.names)}, nil
}

// drawRoofAtOne draws the roofline and hatches the impossible part beyond it.
func drawRoofAtOne(f chart.Frame) {
	chart.HatchBox(f.Canvas, vg.Rectangle{Min: vg.Point{X: f.X(1), Y: f.Min.Y}, Max: f.Max}, chart.Faint, chart.Rising)
	f.Rule(1, roofStyle())
}

func roofStyle() draw.LineStyle { return draw.LineStyle{Color: chart.Black, Width: 1.4} }

// medianRadius is larger than a dot's, so that the median stands out.
const medianRadius = 3.4

func drawEfficiencies(f chart.Frame, y float64, sorted []float64, l chart.Look, crowd *crowd) {
	chart.Stroke(f.Canvas, draw.LineStyle{Color: chart.Soft, Width: 0.6}, f.At(sorted[0], y), f.At(sorted[len(sorted)-1], y))
	for _, e := range sorted {
		if !crowd.take(f.At(e, y)) {
			continue
		}
		f.Point(l, f.At(e, y), 2.3, crowd.name+chart.Digits(e)+" of the roofline")
		if e > 1 {
			drawRing(f.Canvas, f.At(e, y))
		}
	}
	chart.Diamond.Draw(f.Canvas, f.At(stats.Median(sorted), y), medianRadius, chart.White)
}

// drawRing marks a load that beat the roofline.
func drawRing(c draw.Canvas, pt vg.Point) {
	for _, s := range []draw.LineStyle{{Color: chart.White, Width: 2.2}, {Color: chart.LookOf(4).Ink, Width: 1.4}} {
		var path vg.Path
		path.Move(vg.Point{X: pt.X + 4.2, Y: pt.Y})
		path.Arc(pt, 4.2, 0, 2*math.Pi)
		c.SetLineStyle(s)
		c.Stroke(path)
	}
}

func (d Efficiency) rows(names Names) [][]string {
	rows := [][]string{{"model", "arm", "load", "efficiency"}}
	for _, a := range d.Arms {
		for i, e := range a.Efficiencies {
			rows = append(rows, []string{names.group(a.Arm), names.series(a.Arm), strconv.Itoa(i), number(e)})
		}
	}
	return rows
}
