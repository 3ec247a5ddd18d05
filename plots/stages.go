package plots

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/chart"
)

// Stages are where the time of loads went.
type Stages struct {
	Caption
	Rows []StageRow
	// Share draws every bar as parts of its own loading time (or of the stages'
	// sum, without one), so that loads of unequal length compare.
	Share bool
}

// StageRow is a load, or an arm's loads together.
type StageRow struct {
	Model, Arm   string
	Load         string   // which one; empty: the arm's loads together
	LoadingTimeS *float64 // nil: not marked
	Stages       []Stage
}

// Stage is a part of a load. Stages may overlap in time.
type Stage struct {
	Name      string
	DurationS float64
}

func (r StageRow) name() string {
	switch {
	case r.Load == "":
		return r.Arm
	case r.Arm == "":
		return r.Load
	}
	return r.Arm + ", " + r.Load
}

func (r StageRow) sum() (s float64) {
	for _, stage := range r.Stages {
		s += stage.DurationS
	}
	return s
}

// whole is what the row's times are held against: themselves, or all of them.
func (r StageRow) whole(share bool) float64 {
	switch {
	case !share:
		return 1
	case r.LoadingTimeS != nil && *r.LoadingTimeS > 0:
		return *r.LoadingTimeS
	case r.sum() > 0:
		return r.sum()
	}
	return 1
}

// DrawStages draws a bar a row, its stages end to end, and marks the loading
// time, which is less than the bar where stages overlapped or took turns.
func DrawStages(d Stages) (*Picture, error) {
	rows, err := arrange(d.Rows, func(r StageRow) string { return r.Model }, StageRow.name)
	if err != nil {
		return nil, fmt.Errorf("stages: %w", err)
	}
	var stages []string
	longest, slowest, overlap, marked := 0.0, 0.0, false, false
	for _, r := range d.Rows {
		sum := r.sum()
		for _, s := range r.Stages {
			if err := amount(s.DurationS, "stage "+s.Name, r.Model, r.name()); err != nil {
				return nil, fmt.Errorf("stages: %w", err)
			}
			stages = appendNew(stages, s.Name)
		}
		whole := r.whole(d.Share)
		longest = math.Max(longest, sum/whole)
		if r.LoadingTimeS != nil {
			if err := amount(*r.LoadingTimeS, "loading time", r.Model, r.name()); err != nil {
				return nil, fmt.Errorf("stages: %w", err)
			}
			longest = math.Max(longest, *r.LoadingTimeS/whole)
			slowest = math.Max(slowest, *r.LoadingTimeS)
			marked = true
			overlap = overlap || sum > *r.LoadingTimeS*1.001
		}
	}
	u, x := chart.TimeUnit(slowest), chart.FromZero("Time in stages", chart.TimeUnit(longest), longest)
	if d.Share {
		percent := chart.Unit{Name: "%", Size: 0.01}
		x = chart.FromZero("Part of the loading time", percent, longest)
	}
	p := &chart.Panel{X: x, Y: chart.Axis{Low: rows.high}, Height: rows.height(15), MinHeight: vg.Length(rows.high) * 9}
	for _, row := range rows.rows {
		p.Y.Names = append(p.Y.Names, chart.Tick{Value: row.y, Label: row.item.name()})
		p.Paint = append(p.Paint, func(f chart.Frame) { drawStages(f, row, stages, row.item.whole(d.Share)) })
		if row.item.LoadingTimeS != nil {
			p.Side = append(p.Side, chart.Tick{Value: row.y, Label: u.Format(*row.item.LoadingTimeS)})
			p.SideTitle = "load (" + u.Name + ")"
		}
	}
	if len(rows.models) > 1 {
		p.Y.Groups = rows.groups
	}
	fig := &chart.Figure{Panels: []*chart.Panel{p}}
	for i, s := range stages {
		fig.Legend = append(fig.Legend, chart.SwatchKey(s, chart.LookOf(i)))
	}
	if marked {
		fig.Legend = append(fig.Legend, chart.RuleKey("loading time", loadMarkStyles()...))
	}
	fig.Title, fig.Subtitle = d.or("Stages of loading " + about(rows.models))
	if overlap {
		fig.Notes = []string{"Where a bar is longer than the loading time, its stages overlapped or took turns."}
	}
	return &Picture{fig, d.rows()}, nil
}

func drawStages(f chart.Frame, row placedRow[StageRow], stages []string, whole float64) {
	at := 0.0
	for _, s := range row.item.Stages {
		l := chart.LookOf(slices.Index(stages, s.Name))
		f.Hover(named(row.item.Model, row.item.name())+"\n"+s.Name+" "+chart.TimeText(s.DurationS), func() {
			chart.FillBox(f.Canvas, vg.Rectangle{Min: f.At(at, row.y+0.38), Max: f.At(at+s.DurationS/whole, row.y-0.38)}, l.Ink, l.Hatch)
		})
		at += s.DurationS / whole
	}
	if t := row.item.LoadingTimeS; t != nil {
		f.Hover(named(row.item.Model, row.item.name())+"\nloading time "+chart.TimeText(*t), func() {
			for _, style := range loadMarkStyles() {
				chart.Stroke(f.Canvas, style, f.At(*t/whole, row.y+0.48), f.At(*t/whole, row.y-0.48))
			}
		})
	}
}

// loadMarkStyles draw a black line on a white one, which shows on every colour.
func loadMarkStyles() []draw.LineStyle {
	return []draw.LineStyle{{Color: chart.White, Width: 3.4}, {Color: chart.Black, Width: 1.8}}
}

func (d Stages) rows() [][]string {
	rows := [][]string{{"model", "arm", "load", "loading_time_s", "stage", "duration_s"}}
	for _, r := range d.Rows {
		for _, s := range r.Stages {
			rows = append(rows, []string{r.Model, r.Arm, r.Load, optional(r.LoadingTimeS), s.Name, number(s.DurationS)})
		}
	}
	return rows
}
