package plots

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
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
		if baseline = indexOf(rows.arms, d.Baseline); baseline < 0 {
			return nil, fmt.Errorf("bars: no arm is called %q, the baseline", d.Baseline)
		}
	}
	u := timeUnit(highest)
	p := &panel{x: from0("Mean loading time", u, highest*1.08), y: rows.axis(), height: rows.height(15), least: vg.Length(rows.high) * 9, head: "mean (" + u.name + ")"}
	fig := &figure{panels: []*panel{p}, legend: rows.swatches()}
	dots := spread(lowest, highest)
	if dots {
		p.x = logAround("Mean loading time", timeTick, lowest, highest*1.8)
		fig.legend = rows.dots()
	}
	for _, row := range rows.rows {
		p.aside = append(p.aside, tick{row.y, u.format(row.item.MeanS)})
		text := row.item.text()
		p.paint = append(p.paint, func(f frame) { f.tell(text, func() { drawBar(f, row, dots) }) })
	}
	compared := false
	for _, row := range rows.rows {
		base, ok := rows.find(row.model, baseline)
		if ok && row.arm != baseline && base.item.MeanS > 0 && row.item.MeanS > 0 {
			compared = true
			p.paint = append(p.paint, func(f frame) { drawSpeedup(f, base, row) })
		}
	}
	fig.title, fig.subtitle = d.or("Loading time of " + about(rows.models))
	if medians(d.Bars) {
		fig.legend = append(fig.legend, key{"median", func(c draw.Canvas, r vg.Rectangle) {
			diamond.draw(c, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}, 2.5, white)
		}})
	}
	if compared {
		fig.notes = append(fig.notes, "Factors: mean of "+rows.arms[baseline]+" over mean of the arm; over 1, the arm is faster.")
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
	text := named(b.Model, b.Arm) + "\nmean " + timeText(b.MeanS)
	if b.MedianS != nil {
		text += ", median " + timeText(*b.MedianS)
	}
	if b.Interval != nil {
		text += "\nfrom " + timeText(b.Interval.LowS) + " to " + timeText(b.Interval.HighS)
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

func drawBar(f frame, row placedRow[Bar], dot bool) {
	look := lookOf(row.arm)
	y, half := f.y(row.y), (f.y(row.y-0.4)-f.y(row.y+0.4))/2
	if dot {
		stroke(f.Canvas, draw.LineStyle{Color: faint, Width: 0.8}, vg.Point{X: f.Min.X, Y: y}, f.at(row.item.MeanS, row.y))
	} else {
		filled(f.Canvas, vg.Rectangle{Min: f.at(0, row.y+0.4), Max: f.at(row.item.MeanS, row.y-0.4)}, look.ink, look.hatch)
	}
	if i := row.item.Interval; i != nil {
		whisker(f.Canvas, f.x(i.LowS), f.x(i.HighS), y, half*0.55)
	}
	if dot {
		look.mark.draw(f.Canvas, f.at(row.item.MeanS, row.y), min(3.4, half*0.8), look.ink)
	}
	if m := row.item.MedianS; m != nil {
		diamond.draw(f.Canvas, vg.Point{X: f.x(*m), Y: y}, min(2.5, half*0.6), white)
	}
}

// drawSpeedup draws the arrow at the height of the arm's bar, from where the
// baseline's bar ends to where this one does.
func drawSpeedup(f frame, base, row placedRow[Bar]) {
	text := ratio(base.item.MeanS / row.item.MeanS)
	y, from, to := f.y(row.y), f.x(base.item.MeanS), f.x(row.item.MeanS)
	_, furthest := row.item.reach()
	end := max(f.x(furthest), to+3)
	stroke(f.Canvas, draw.LineStyle{Color: soft, Width: 0.5, Dashes: []vg.Length{2, 1.5}}, vg.Point{X: from, Y: f.y(base.y)}, vg.Point{X: from, Y: f.y(row.y + 0.4*sign(row.y-base.y))})
	face := bold(smallSize)
	wide := face.Width(text)
	left := (from+end)/2 - wide/2
	if from-end >= wide+22 {
		arrow(f.Canvas, from, end+2, y)
	} else {
		if from-to >= 8 {
			arrow(f.Canvas, from, min(end+2, from-6), y)
		}
		left = min(max(from, end)+4, f.Max.X-wide)
	}
	f.SetColor(white)
	f.Fill(vg.Rectangle{Min: vg.Point{X: left - 2, Y: y - 4}, Max: vg.Point{X: left + wide + 2, Y: y + 4}}.Path())
	write(f, face, black, vg.Point{X: left, Y: y}, atLeft, text)
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
		rows = append(rows, []string{b.Model, b.Arm, number(b.MeanS), optional(b.MedianS), low, high, itoa(b.Loads)})
	}
	return rows
}
