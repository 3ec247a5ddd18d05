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
)

// Bars are mean loading times, a model a group.
type Bars struct {
	Caption
	Bars     []Bar
	Baseline string // the arm that others are held against; empty: the first
}

// Bar is the loading time of an arm on a model.
type Bar struct {
	Model, Arm string
	MeanS      float64
	MedianS    *float64  // nil: not marked
	Interval   *Interval // nil: no whisker
	Loads      int       // counted; 0: not told
}

// Interval is how sure a figure is; the subtitle says which interval it is.
type Interval struct{ LowS, HighS float64 }

// DrawBars draws a bar a model and arm, and from the baseline to each other arm
// of the model an arrow with the ratio of the means. Where models are so far
// apart that the bars of some would vanish, the axis is logarithmic: dots stand
// where the bars would end, since a bar has no length without a zero, and equal
// arrows are equal ratios.
func DrawBars(d Bars) (*Picture, error) {
	rows, err := arrange(d.Bars, func(b Bar) string { return b.Model }, func(b Bar) string { return b.Arm })
	if err != nil {
		return nil, fmt.Errorf("bars: %w", err)
	}
	lowest, highest := math.Inf(1), 0.0
	for _, b := range d.Bars {
		if err := b.check(); err != nil {
			return nil, fmt.Errorf("bars: %w", err)
		}
		low, high := b.reach()
		lowest, highest = math.Min(lowest, low), math.Max(highest, high)
	}
	baseline := 0
	if d.Baseline != "" {
		if baseline = slices.Index(rows.arms, d.Baseline); baseline < 0 {
			return nil, fmt.Errorf("bars: no arm is called %q, the baseline", d.Baseline)
		}
	}
	u := chart.TimeUnit(highest)
	p := &chart.Panel{X: chart.FromZero("Mean loading time", u, highest*1.08), Y: rows.axis(), Height: rows.height(15), MinHeight: vg.Length(rows.high) * 9, SideTitle: "mean (" + u.Name + ")"}
	fig := &chart.Figure{Panels: []*chart.Panel{p}, Legend: rows.swatches()}
	dots := chart.NeedsLog(lowest, highest)
	if dots {
		p.X = chart.LogAround("Mean loading time", chart.TimeTick, lowest, highest*1.8)
		fig.Legend = legend(rows.arms, chart.DotKey)
	}
	for _, row := range rows.rows {
		p.Side = append(p.Side, chart.Tick{Value: row.y, Label: u.Format(row.item.MeanS)})
		text := row.item.text()
		p.Paint = append(p.Paint, func(f chart.Frame) { f.Hover(text, func() { drawBar(f, row, dots) }) })
	}
	compared := false
	for _, row := range rows.rows {
		base, ok := rows.find(row.model, baseline)
		if ok && row.arm != baseline && base.item.MeanS > 0 && row.item.MeanS > 0 {
			compared = true
			p.Paint = append(p.Paint, func(f chart.Frame) { drawSpeedup(f, base, row) })
		}
	}
	fig.Title, fig.Subtitle = d.or("Loading time of " + about(rows.models))
	if medians(d.Bars) {
		fig.Legend = append(fig.Legend, chart.MarkKey("median", chart.Diamond, 2.5, chart.White))
	}
	if compared {
		fig.Notes = append(fig.Notes, "Factors: mean of "+rows.arms[baseline]+" over mean of the arm; over 1, the arm is faster.")
	}
	return &Picture{fig, d.rows()}, nil
}

func (b Bar) check() error {
	all := []float64{b.MeanS}
	if b.MedianS != nil {
		all = append(all, *b.MedianS)
	}
	if b.Interval != nil {
		all = append(all, b.Interval.LowS, b.Interval.HighS)
		if b.Interval.LowS > b.Interval.HighS {
			return fmt.Errorf("interval of %s, %s ends before it begins", b.Model, b.Arm)
		}
	}
	return amounts(all, "loading time", b.Model, b.Arm)
}

// text is the bar in words.
func (b Bar) text() string {
	text := named(b.Model, b.Arm) + "\nmean " + chart.TimeText(b.MeanS)
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

// reach is from where to where the bar's end goes with all that stands on it.
func (b Bar) reach() (low, high float64) {
	all := []float64{b.MeanS}
	if b.MedianS != nil {
		all = append(all, *b.MedianS)
	}
	if b.Interval != nil {
		all = append(all, b.Interval.LowS, b.Interval.HighS)
	}
	return minMax(all)
}

func drawBar(f chart.Frame, row placedRow[Bar], dot bool) {
	look := chart.LookOf(row.arm)
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

// drawSpeedup draws the arrow at the height of the arm's bar, from where the
// baseline's bar ends to where this one does.
func drawSpeedup(f chart.Frame, base, row placedRow[Bar]) {
	text := ratio(base.item.MeanS / row.item.MeanS)
	y, from, to := f.Y(row.y), f.X(base.item.MeanS), f.X(row.item.MeanS)
	_, furthest := row.item.reach()
	end := max(f.X(furthest), to+3)
	chart.Stroke(f.Canvas, draw.LineStyle{Color: chart.Soft, Width: 0.5, Dashes: []vg.Length{2, 1.5}}, vg.Point{X: from, Y: f.Y(base.y)}, vg.Point{X: from, Y: f.Y(row.y + 0.4*sign(row.y-base.y))})
	face := canvas.Bold(chart.SmallSize)
	wide := face.Width(text)
	left := (from+end)/2 - wide/2
	if from-end >= wide+22 {
		chart.Arrow(f.Canvas, from, end+2, y)
	} else {
		if from-to >= 8 {
			chart.Arrow(f.Canvas, from, min(end+2, from-6), y)
		}
		left = min(max(from, end)+4, f.Max.X-wide)
	}
	f.SetColor(chart.White)
	f.Fill(vg.Rectangle{Min: vg.Point{X: left - 2, Y: y - 4}, Max: vg.Point{X: left + wide + 2, Y: y + 4}}.Path())
	canvas.Text(f, face, chart.Black, vg.Point{X: left, Y: y}, canvas.AtLeft, text)
}

func sign(v float64) float64 { return math.Copysign(1, v) }

func medians(all []Bar) bool {
	for _, b := range all {
		if b.MedianS != nil {
			return true
		}
	}
	return false
}

func (d Bars) rows() [][]string {
	rows := [][]string{{"model", "arm", "mean_s", "median_s", "low_s", "high_s", "loads"}}
	for _, b := range d.Bars {
		low, high := "", ""
		if b.Interval != nil {
			low, high = number(b.Interval.LowS), number(b.Interval.HighS)
		}
		rows = append(rows, []string{b.Model, b.Arm, number(b.MeanS), optional(b.MedianS), low, high, strconv.Itoa(b.Loads)})
	}
	return rows
}
