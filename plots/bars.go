package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Bars are mean loading times.
type Bars struct {
	Subtitle string
	Bars     []Bar
	Baseline record.Arm // its series is the one that others are compared with; zero: the first series
	Looks    Looks
	Notes    []string
}

// Bar is the loading time of an arm.
type Bar struct {
	record.Arm
	MeanS    float64
	MedianS  *float64  // nil: not marked
	Interval *Interval // nil: no whisker
	Loads    int       // counted; 0: not shown
}

// Interval is the uncertainty of a time. The subtitle says what it is.
type Interval struct{ LowS, HighS float64 }

// DrawBars draws a bar per arm, and in each group an arrow with the ratio of the
// means from the baseline's bar to every other one. If means lie so far apart that
// some bars would vanish, the axis is logarithmic and dots stand where the bars
// would end: a bar has no length without a zero, but equal arrows are still equal
// ratios.
func DrawBars(d Bars) (*Picture, error) {
	rows, err := arrange(d.Bars, d.Looks, func(b Bar) record.Arm { return b.Arm })
	if err != nil {
		return nil, fmt.Errorf("bars: %w", err)
	}
	lowest, highest := math.Inf(1), 0.0
	for _, row := range rows.rows {
		if err := row.item.check(row.name); err != nil {
			return nil, fmt.Errorf("bars: %w", err)
		}
		low, high := minMax(row.item.times())
		lowest, highest = math.Min(lowest, low), math.Max(highest, high)
	}
	baseline := 0
	if d.Baseline != (record.Arm{}) {
		name := rows.names.series(d.Baseline)
		if baseline = slices.Index(rows.series, name); baseline < 0 {
			return nil, fmt.Errorf("bars: no bar of the baseline, %s", name)
		}
	}
	u := chart.TimeUnit(highest)
	p := &chart.Panel{X: chart.FromZero("Mean loading time", u, highest*1.08), Y: rows.axis(), Height: rows.panelHeight(15), MinHeight: rows.minHeight(9), SideTitle: "mean (" + u.Name + ")"}
	fig := &chart.Figure{Title: "Mean loading time of " + rows.subject, Subtitle: d.Subtitle, Panels: []*chart.Panel{p}, Legend: rows.swatches()}
	dots := chart.NeedsLog(lowest, highest)
	if dots {
		p.X = chart.LogAround("Mean loading time", chart.TimeTick, lowest, highest*1.8)
		fig.Legend = rows.legend(chart.DotKey)
	}
	for _, row := range rows.rows {
		p.Side = append(p.Side, chart.Tick{Value: row.y, Label: u.Format(row.item.MeanS)})
		p.Paint = append(p.Paint, func(f chart.Frame) { f.Hover(row.item.text(row.name), func() { drawBar(f, row, dots) }) })
	}
	compared := false
	for _, base := range rows.rows {
		if base.series != baseline || base.item.MeanS == 0 {
			continue
		}
		for _, row := range rows.inGroup(base.group) {
			if row.series != baseline && row.item.MeanS > 0 {
				compared = true
				p.Paint = append(p.Paint, func(f chart.Frame) { drawSpeedup(f, base, row) })
			}
		}
	}
	fig.Notes = slices.Clone(d.Notes)
	if slices.ContainsFunc(d.Bars, func(b Bar) bool { return b.MedianS != nil }) {
		fig.Legend = append(fig.Legend, chart.MarkKey("median", chart.Diamond, 2.5, chart.White))
	}
	if compared {
		fig.Notes = append(fig.Notes, "Factors: mean of "+rows.series[baseline]+" over mean of the arm; over 1, the arm is faster.")
	}
	return &Picture{fig, d.rows(rows.names)}, nil
}

func (b Bar) check(name string) error {
	if i := b.Interval; i != nil && i.LowS > i.HighS {
		return fmt.Errorf("interval of %s ends before it begins", name)
	}
	return amounts("loading time", name, b.times()...)
}

// times are all times that the bar shows.
func (b Bar) times() []float64 {
	times := []float64{b.MeanS}
	if b.MedianS != nil {
		times = append(times, *b.MedianS)
	}
	if b.Interval != nil {
		times = append(times, b.Interval.LowS, b.Interval.HighS)
	}
	return times
}

// text is the bar in words.
func (b Bar) text(name string) string {
	text := name + "\nmean " + chart.TimeText(b.MeanS)
	if b.MedianS != nil {
		text += ", median " + chart.TimeText(*b.MedianS)
	}
	if b.Interval != nil {
		text += "\nfrom " + chart.TimeText(b.Interval.LowS) + " to " + chart.TimeText(b.Interval.HighS)
	}
	if b.Loads > 0 {
		text += "\n" + plural(b.Loads, "load", "loads")
	}
	return text
}

func drawBar(f chart.Frame, row placed[Bar], dot bool) {
	look := row.look
	y, half := f.Y(row.y), (f.Y(row.y-0.4)-f.Y(row.y+0.4))/2
	if dot {
		chart.Stroke(f.Canvas, draw.LineStyle{Color: chart.Faint, Width: 0.8}, vg.Point{X: f.Min.X, Y: y}, f.At(row.item.MeanS, row.y))
	} else {
		chart.FillBox(f.Canvas, vg.Rectangle{Min: f.At(0, row.y+0.4), Max: f.At(row.item.MeanS, row.y-0.4)}, look.Ink, look.Hatch)
	}
	if i := row.item.Interval; i != nil {
		chart.Whisker(f.Canvas, f.X(i.LowS), f.X(i.HighS), y, half*0.55)
	}
	if dot {
		look.Mark.Draw(f.Canvas, f.At(row.item.MeanS, row.y), min(3.4, half*0.8), look.Ink)
	}
	if m := row.item.MedianS; m != nil {
		chart.Diamond.Draw(f.Canvas, vg.Point{X: f.X(*m), Y: y}, min(2.5, half*0.6), chart.White)
	}
}

// drawSpeedup draws an arrow at the height of the row's bar, from where the
// baseline's bar ends to where this one does.
func drawSpeedup(f chart.Frame, base, row placed[Bar]) {
	text := ratio(base.item.MeanS / row.item.MeanS)
	y, from, to := f.Y(row.y), f.X(base.item.MeanS), f.X(row.item.MeanS)
	_, furthest := minMax(row.item.times())
	end := max(f.X(furthest), to+3)
	chart.Stroke(f.Canvas, draw.LineStyle{Color: chart.Soft, Width: 0.5, Dashes: []vg.Length{2, 1.5}}, vg.Point{X: from, Y: f.Y(base.y)}, vg.Point{X: from, Y: f.Y(row.y + math.Copysign(0.4, row.y-base.y))})
	face := canvas.Bold(chart.SmallSize)
	width := face.Width(text)
	left := (from+end)/2 - width/2
	if from-end >= width+22 {
		chart.Arrow(f.Canvas, from, end+2, y)
	} else {
		if from-to >= 8 {
			chart.Arrow(f.Canvas, from, min(end+2, from-6), y)
		}
		left = min(max(from, end)+4, f.Max.X-width)
	}
	f.SetColor(chart.White)
	f.Fill(vg.Rectangle{Min: vg.Point{X: left - 2, Y: y - 4}, Max: vg.Point{X: left + width + 2, Y: y + 4}}.Path())
	canvas.Text(f, face, chart.Black, vg.Point{X: left, Y: y}, canvas.AtLeft, text)
}

// ratio writes a factor: 3.10×.
func ratio(v float64) string {
	switch {
	case v >= 1e6 || v < 0.095:
		return strconv.FormatFloat(v, 'g', 2, 64) + "×"
	case v >= 99.5:
		return strconv.FormatFloat(v, 'f', 0, 64) + "×"
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64) + "×"
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + "×"
}

func (d Bars) rows(names Names) [][]string {
	rows := [][]string{{"model", "arm", "mean_s", "median_s", "low_s", "high_s", "loads"}}
	for _, b := range d.Bars {
		low, high := "", ""
		if b.Interval != nil {
			low, high = number(b.Interval.LowS), number(b.Interval.HighS)
		}
		rows = append(rows, []string{names.group(b.Arm), names.series(b.Arm), number(b.MeanS), optional(b.MedianS), low, high, strconv.Itoa(b.Loads)})
	}
	return rows
}
