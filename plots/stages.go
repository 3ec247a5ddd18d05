package plots

import (
	"cmp"
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

// Stage is a part of a load, in seconds since the load began. Stages may overlap.
type Stage struct {
	Name         string
	StartS, EndS float64
}

// DrawStages draws a row per arm: each stage from its start to its end, stages that
// overlap below each other, and where the load was done.
func DrawStages(d Stages) (*Picture, error) {
	rows, err := arrange(d.Arms, nil, func(a ArmStages) record.Arm { return a.Arm })
	if err != nil {
		return nil, fmt.Errorf("stages: %w", err)
	}
	var names []string
	last, slowest, marked := 0.0, 0.0, false
	for _, row := range rows.rows {
		end, err := row.item.end(row.name)
		if err != nil {
			return nil, fmt.Errorf("stages: %w", err)
		}
		last = math.Max(last, end)
		if t := row.item.LoadingTimeS; t != nil {
			slowest, marked = math.Max(slowest, *t), true
		}
	}
	for _, a := range d.Arms {
		for _, s := range a.Stages {
			names = appendNew(names, s.Name)
		}
	}
	looks := looksOfStages(names)
	u := chart.TimeUnit(slowest)
	p := &chart.Panel{X: chart.FromZero("Time since the load began", chart.TimeUnit(last), last), Y: chart.Axis{Low: rows.height}}
	most := 1 // lanes of a row
	for _, row := range rows.rows {
		lanes := stageLanes(row.item.Stages, last/1000)
		most = max(most, len(lanes))
		p.Y.Names = append(p.Y.Names, chart.Tick{Value: row.y, Label: rows.series[row.series]})
		p.Paint = append(p.Paint, func(f chart.Frame) { drawStages(f, row, lanes, looks) })
		if t := row.item.LoadingTimeS; t != nil {
			p.Side = append(p.Side, chart.Tick{Value: row.y, Label: u.Format(*t)})
			p.SideTitle = "load (" + u.Name + ")"
		}
	}
	p.Height, p.MinHeight = rows.panelHeight(max(15, 7*vg.Length(most))), rows.minHeight(max(9, 4*vg.Length(most)))
	if len(rows.groups) > 1 {
		p.Y.Groups = rows.ticks
	}
	fig := &chart.Figure{Title: "Stages of loading " + rows.subject, Subtitle: d.Subtitle, Panels: []*chart.Panel{p}}
	for _, name := range names {
		fig.Legend = append(fig.Legend, chart.SwatchKey(name, looks[name]))
	}
	if marked {
		fig.Legend = append(fig.Legend, chart.RuleKey("loading time", loadMark()...))
	}
	if most > 1 {
		fig.Notes = []string{"Stages of an arm that overlap in time are drawn below each other."}
	}
	return &Picture{fig, d.rows(rows.names)}, nil
}

// end checks the times of an arm, and returns the last of them.
func (a ArmStages) end(name string) (end float64, err error) {
	for _, s := range a.Stages {
		if err := amounts("stage "+s.Name, name, s.StartS, s.EndS); err != nil {
			return 0, err
		}
		if s.EndS < s.StartS {
			return 0, fmt.Errorf("stage %s of %s ends before it begins", s.Name, name)
		}
		end = math.Max(end, s.EndS)
	}
	if t := a.LoadingTimeS; t != nil {
		if err := amounts("loading time", name, *t); err != nil {
			return 0, err
		}
		end = math.Max(end, *t)
	}
	return end, nil
}

// stageLanes divides stages into as few lanes as hold them without visible overlap,
// which is one longer than hair seconds.
func stageLanes(stages []Stage, hair float64) [][]Stage {
	inOrder := slices.SortedStableFunc(slices.Values(stages), func(a, b Stage) int { return cmp.Compare(a.StartS, b.StartS) })
	return lanes(inOrder, func(s Stage) (start, end float64) { return s.StartS, s.EndS }, hair)
}

func drawStages(f chart.Frame, row placed[ArmStages], lanes [][]Stage, looks map[string]chart.Look) {
	const half = 0.38 // of a row
	t := row.item.LoadingTimeS
	if t != nil {
		f.SetColor(chart.Faint)
		f.Fill(vg.Rectangle{Min: f.At(0, row.y+half), Max: f.At(*t, row.y-half)}.Path())
	}
	each := 2 * half / float64(len(lanes))
	for i, lane := range lanes {
		top := row.y - half + float64(i)*each
		for _, s := range lane {
			l := looks[s.Name]
			text := row.name + "\n" + s.Name + " from " + chart.TimeText(s.StartS) + " to " + chart.TimeText(s.EndS) + ", " + chart.TimeText(s.EndS-s.StartS)
			f.Hover(text, func() {
				chart.FillBox(f.Canvas, vg.Rectangle{Min: f.At(s.StartS, top+each), Max: f.At(s.EndS, top)}, l.Ink, l.Hatch)
			})
		}
	}
	if t != nil {
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
	rows := [][]string{{"model", "arm", "loading_time_s", "stage", "start_s", "end_s"}}
	for _, a := range d.Arms {
		for _, s := range a.Stages {
			rows = append(rows, []string{names.group(a.Arm), names.series(a.Arm), optional(a.LoadingTimeS), s.Name, number(s.StartS), number(s.EndS)})
		}
	}
	return rows
}
