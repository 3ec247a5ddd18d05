package plots

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
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
	u, x := timeUnit(slowest), from0("Time in stages", timeUnit(longest), longest)
	if d.Share {
		percent := unit{"%", 0.01}
		x = from0("Part of the loading time", percent, longest)
	}
	p := &panel{x: x, y: axis{low: rows.high}, height: rows.height(15), least: vg.Length(rows.high) * 9}
	for _, row := range rows.rows {
		p.y.names = append(p.y.names, tick{row.y, row.item.name()})
		p.paint = append(p.paint, func(f frame) { drawStages(f, row, stages, row.item.whole(d.Share)) })
		if row.item.LoadingTimeS != nil {
			p.aside = append(p.aside, tick{row.y, u.format(*row.item.LoadingTimeS)})
			p.head = "load (" + u.name + ")"
		}
	}
	if len(rows.models) > 1 {
		p.y.groups = rows.groups
	}
	fig := &figure{panels: []*panel{p}}
	for i, s := range stages {
		fig.legend = append(fig.legend, swatch(s, lookOf(i).ink, lookOf(i).hatch))
	}
	if marked {
		fig.legend = append(fig.legend, key{"loading time", func(c draw.Canvas, r vg.Rectangle) {
			x := (r.Min.X + r.Max.X) / 2
			loadMark(c, x, r.Min.Y, r.Max.Y)
		}})
	}
	fig.title, fig.subtitle = d.or("Stages of loading " + about(rows.models))
	if overlap {
		fig.notes = []string{"Where a bar is longer than the loading time, its stages overlapped or took turns."}
	}
	return &Picture{fig, d.rows()}, nil
}

func drawStages(f frame, row placedRow[StageRow], stages []string, whole float64) {
	at := 0.0
	for _, s := range row.item.Stages {
		l := lookOf(indexOf(stages, s.Name))
		f.tell(named(row.item.Model, row.item.name())+"\n"+s.Name+" "+timeText(s.DurationS), func() {
			filled(f.Canvas, vg.Rectangle{Min: f.at(at, row.y+0.38), Max: f.at(at+s.DurationS/whole, row.y-0.38)}, l.ink, l.hatch)
		})
		at += s.DurationS / whole
	}
	if t := row.item.LoadingTimeS; t != nil {
		f.tell(named(row.item.Model, row.item.name())+"\nloading time "+timeText(*t), func() {
			loadMark(f.Canvas, f.x(*t/whole), f.y(row.y+0.48), f.y(row.y-0.48))
		})
	}
}

// loadMark is a black line on white, which shows on every colour.
func loadMark(c draw.Canvas, x, low, high vg.Length) {
	for _, s := range []draw.LineStyle{{Color: white, Width: 3.4}, {Color: black, Width: 1.8}} {
		stroke(c, s, vg.Point{X: x, Y: low}, vg.Point{X: x, Y: high})
	}
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
