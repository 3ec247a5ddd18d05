package plots

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Stages are the parts that loads spend their time in.
type Stages struct {
	Subtitle string
	Arms     []ArmStages
}

// ArmStages are the stages of an arm's loads.
type ArmStages struct {
	record.Arm
	LoadingTimeS *float64 // nil: not marked
	Stages       []Stage
}

// Stage is a part of a load. Stages may overlap in time.
type Stage struct {
	Name      string
	DurationS float64
}

// sum is the length of the bar in seconds.
func (a ArmStages) sum() (s float64) {
	for _, stage := range a.Stages {
		s += stage.DurationS
	}
	return s
}

// DrawStages draws a bar per arm, its stages end to end, and marks the loading time.
// The bar is longer than that if stages overlapped or took turns.
func DrawStages(d Stages) (*Picture, error) {
	rows, err := arrange(d.Arms, func(a ArmStages) record.Arm { return a.Arm })
	if err != nil {
		return nil, fmt.Errorf("stages: %w", err)
	}
	var stages []string
	longest, slowest, overlap, marked := 0.0, 0.0, false, false
	for _, row := range rows.rows {
		for _, s := range row.item.Stages {
			if err := amounts("stage "+s.Name, row.name, s.DurationS); err != nil {
				return nil, fmt.Errorf("stages: %w", err)
			}
		}
		longest = math.Max(longest, row.item.sum())
		if t := row.item.LoadingTimeS; t != nil {
			if err := amounts("loading time", row.name, *t); err != nil {
				return nil, fmt.Errorf("stages: %w", err)
			}
			slowest = math.Max(slowest, *t)
			marked = true
			overlap = overlap || row.item.sum() > *t*1.001
		}
	}
	for _, a := range d.Arms {
		for _, s := range a.Stages {
			stages = appendNew(stages, s.Name)
		}
	}
	longest = math.Max(longest, slowest)
	u := chart.TimeUnit(slowest)
	p := &chart.Panel{X: chart.FromZero("Time in stages", chart.TimeUnit(longest), longest), Y: chart.Axis{Low: rows.height}, Height: rows.panelHeight(15), MinHeight: rows.minHeight(9)}
	for _, row := range rows.rows {
		p.Y.Names = append(p.Y.Names, chart.Tick{Value: row.y, Label: rows.series[row.series]})
		p.Paint = append(p.Paint, func(f chart.Frame) { drawStages(f, row, stages) })
		if t := row.item.LoadingTimeS; t != nil {
			p.Side = append(p.Side, chart.Tick{Value: row.y, Label: u.Format(*t)})
			p.SideTitle = "load (" + u.Name + ")"
		}
	}
	if len(rows.groups) > 1 {
		p.Y.Groups = rows.ticks
	}
	fig := &chart.Figure{Title: "Stages of loading " + rows.subject, Subtitle: d.Subtitle, Panels: []*chart.Panel{p}, Legend: legend(stages, chart.SwatchKey)}
	if marked {
		fig.Legend = append(fig.Legend, chart.RuleKey("loading time", loadMark()...))
	}
	if overlap {
		fig.Notes = []string{"Where a bar is longer than the loading time, its stages overlapped or took turns."}
	}
	return &Picture{fig, d.rows(rows.names)}, nil
}

func drawStages(f chart.Frame, row placed[ArmStages], stages []string) {
	at := 0.0
	for _, s := range row.item.Stages {
		l := chart.LookOf(slices.Index(stages, s.Name))
		f.Hover(row.name+"\n"+s.Name+" "+chart.TimeText(s.DurationS), func() {
			chart.FillBox(f.Canvas, vg.Rectangle{Min: f.At(at, row.y+0.38), Max: f.At(at+s.DurationS, row.y-0.38)}, l.Ink, l.Hatch)
		})
		at += s.DurationS
	}
	if t := row.item.LoadingTimeS; t != nil {
		f.Hover(row.name+"\nloading time "+chart.TimeText(*t), func() {
			for _, style := range loadMark() {
				chart.Stroke(f.Canvas, style, f.At(*t, row.y+0.48), f.At(*t, row.y-0.48))
			}
		})
	}
}

// loadMark is a black line on a white one, which shows on every colour.
func loadMark() []draw.LineStyle {
	return []draw.LineStyle{{Color: chart.White, Width: 3.4}, {Color: chart.Black, Width: 1.8}}
}

func (d Stages) rows(names Names) [][]string {
	rows := [][]string{{"model", "arm", "loading_time_s", "stage", "duration_s"}}
	for _, a := range d.Arms {
		for _, s := range a.Stages {
			rows = append(rows, []string{names.group(a.Arm), names.series(a.Arm), optional(a.LoadingTimeS), s.Name, number(s.DurationS)})
		}
	}
	return rows
}
