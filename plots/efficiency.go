package plots

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
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
	p := &panel{x: axis{label: "Efficiency (roofline time / loading time)", high: highest * 1.08, ticks: linearTicks(unit{size: 1}), lines: true}, y: rows.axis(), height: rows.height(14), least: vg.Length(rows.high) * 9, head: "median"}
	p.paint = append(p.paint, roofAtOne)
	for _, row := range rows.rows {
		sorted := slices.Sorted(slices.Values(row.item.Efficiencies))
		p.aside = append(p.aside, tick{row.y, digits(quantile(sorted, 0.5))})
		p.paint = append(p.paint, func(f frame) {
			drawEfficiencies(f, row.y, sorted, lookOf(row.arm), newCrowd(loads, row.item.Model, row.item.Arm))
		})
	}
	fig := &figure{panels: []*panel{p}}
	if len(rows.models) > 1 {
		fig.legend = rows.dots()
	}
	fig.legend = append(fig.legend, key{"median", func(c draw.Canvas, r vg.Rectangle) {
		diamond.draw(c, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}, medianRadius, white)
	}}, key{"roofline", func(c draw.Canvas, r vg.Rectangle) {
		x := (r.Min.X + r.Max.X) / 2
		stroke(c, draw.LineStyle{Color: black, Width: 1.4}, vg.Point{X: x, Y: r.Min.Y}, vg.Point{X: x, Y: r.Max.Y})
	}})
	if beyond > 0 {
		fig.legend = append(fig.legend, key{"over 1", func(c draw.Canvas, r vg.Rectangle) {
			ring(c, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2})
		}})
		fig.notes = []string{plural(beyond, "load is", "loads are") + " faster than the roofline: a label or the roofline is wrong."}
	}
	fig.title, fig.subtitle = d.or("Efficiency of loading " + about(rows.models))
	return &Picture{fig, d.rows()}, nil
}

// roofAtOne draws the roofline, and hatches what should be empty.
func roofAtOne(f frame) {
	hatched(f.Canvas, vg.Rectangle{Min: vg.Point{X: f.x(1), Y: f.Min.Y}, Max: f.Max}, faint, rising)
	stroke(f.Canvas, draw.LineStyle{Color: black, Width: 1.4}, vg.Point{X: f.x(1), Y: f.Min.Y}, vg.Point{X: f.x(1), Y: f.Max.Y})
}

// medianRadius lets the median stand out of the dots that it lies among.
const medianRadius = 3.4

func drawEfficiencies(f frame, y float64, sorted []float64, l look, crowd *crowd) {
	middle := quantile(sorted, 0.5)
	stroke(f.Canvas, draw.LineStyle{Color: soft, Width: 0.6}, f.at(sorted[0], y), f.at(sorted[len(sorted)-1], y))
	for _, e := range sorted {
		if !crowd.free(f.at(e, y)) {
			continue
		}
		f.point(l, f.at(e, y), 2.3, crowd.name+digits(e)+" of the roofline")
		if e > 1 {
			ring(f.Canvas, f.at(e, y))
		}
	}
	diamond.draw(f.Canvas, f.at(middle, y), medianRadius, white)
}

func ring(c draw.Canvas, pt vg.Point) {
	for _, s := range []draw.LineStyle{{Color: white, Width: 2.2}, {Color: lookOf(4).ink, Width: 1.4}} {
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
			rows = append(rows, []string{a.Model, a.Arm, itoa(i), number(e)})
		}
	}
	return rows
}
