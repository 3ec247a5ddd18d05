package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
	"github.com/sllmq/sllmq/plots/chart"
)

// Trend is how loading times moved from day to day, a model a panel.
type Trend struct {
	Caption
	Series []TrendSeries
}

// TrendSeries is an arm on a model over time.
type TrendSeries struct {
	Model, Arm string
	Points     []TrendPoint
	Changes    []Change
}

// TrendPoint is what was measured at a time, such as the median of a run.
type TrendPoint struct {
	At       time.Time
	TimeS    float64
	Interval *Interval // nil: no whisker
	Label    string    // shown where there is room
}

// Change is where the level moved.
type Change struct {
	At    time.Time
	Label string
}

// DrawTrend draws points over time, the median of each stretch between changes
// as a line, and the changes as numbered flags that the notes explain.
func DrawTrend(d Trend) (*Picture, error) {
	rows, err := arrange(d.Series, func(s TrendSeries) string { return s.Model }, func(s TrendSeries) string { return s.Arm })
	if err != nil {
		return nil, fmt.Errorf("trend: %w", err)
	}
	first, last := math.Inf(1), math.Inf(-1)
	for _, s := range d.Series {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("trend: %w", err)
		}
		for _, at := range s.times() {
			first, last = math.Min(first, seconds(at)), math.Max(last, seconds(at))
		}
	}
	fig := &chart.Figure{Columns: 1, Legend: legend(rows.arms, chart.LineKey)}
	x := chart.Axis{Label: "UTC, " + span(first, last), Low: first, High: last, Ticks: chart.TimeTicks, GridLines: true}
	pad := math.Max((last-first)*0.03, 1800)
	x.Low, x.High = first-pad, last+pad
	flags := 0
	for m, model := range rows.models {
		p := &chart.Panel{Title: model, X: x, Height: 84, MinHeight: 40, HideXLabels: m < len(rows.models)-1}
		if len(rows.models) == 1 {
			p.Title, p.Height = "", 190
		}
		lowest, highest := math.Inf(1), math.Inf(-1)
		var arms []placedRow[TrendSeries]
		var changed []flag
		for _, row := range rows.rows {
			if row.model != m {
				continue
			}
			low, high := row.item.reach()
			lowest, highest = math.Min(lowest, low), math.Max(highest, high)
			row.item = row.item.inOrder()
			arms = append(arms, row)
			for i, c := range row.item.Changes {
				flags++
				changed = append(changed, flag{c.At, flags})
				fig.Notes = append(fig.Notes, row.item.explain(flags, i, len(rows.models) > 1, len(rows.arms) > 1))
			}
		}
		slices.SortStableFunc(changed, func(a, b flag) int { return a.at.Compare(b.at) })
		p.Paint = append(p.Paint, func(f chart.Frame) { drawTrends(f, arms, changed) })
		p.Y = chart.Around("Loading time", chart.TimeUnit, lowest, highest)
		if len(changed) > 0 { // above the points, for the flags
			p.Y.High += (p.Y.High - p.Y.Low) * 0.16
		}
		fig.Panels = append(fig.Panels, p)
	}
	if flags > 0 {
		fig.Notes = append([]string{"Lines: median of each stretch between changes. Changes:"}, fig.Notes...)
	}
	fig.Title, fig.Subtitle = d.or("Loading time of " + about(rows.models) + " over time")
	return &Picture{fig, d.rows()}, nil
}

func (s TrendSeries) check() error {
	if len(s.Points) == 0 {
		return fmt.Errorf("%s, %s has no points", s.Model, s.Arm)
	}
	for _, at := range s.times() {
		if at.Year() < 1970 || at.Year() > 2200 {
			return fmt.Errorf("%s, %s has a point in the year %d", s.Model, s.Arm, at.Year())
		}
	}
	for _, p := range s.Points {
		all := []float64{p.TimeS}
		if p.Interval != nil {
			all = append(all, p.Interval.LowS, p.Interval.HighS)
		}
		if err := amounts(all, "loading time", s.Model, s.Arm); err != nil {
			return err
		}
	}
	return nil
}

func (s TrendSeries) times() []time.Time {
	var all []time.Time
	for _, p := range s.Points {
		all = append(all, p.At)
	}
	for _, c := range s.Changes {
		all = append(all, c.At)
	}
	return all
}

func (s TrendSeries) reach() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, p := range s.Points {
		low, high = math.Min(low, p.TimeS), math.Max(high, p.TimeS)
		if p.Interval != nil {
			low, high = math.Min(low, p.Interval.LowS), math.Max(high, p.Interval.HighS)
		}
	}
	return low, high
}

// level is the median of the points from one time until before another.
func (s TrendSeries) level(from, until time.Time) (float64, bool) {
	var all []float64
	for _, p := range s.Points {
		if !p.At.Before(from) && p.At.Before(until) {
			all = append(all, p.TimeS)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	return quantile(all, 0.5), true
}

// bounds are the beginnings of the stretches, and the end of the last.
func (s TrendSeries) bounds() []time.Time {
	bounds := []time.Time{time.Unix(0, 0)}
	for _, c := range s.Changes {
		bounds = append(bounds, c.At)
	}
	return append(bounds, s.Points[len(s.Points)-1].At.Add(time.Nanosecond))
}

// explain is the note of the n-th flag, which stands at the i-th change.
func (s TrendSeries) explain(n, i int, model, arm bool) string {
	c := s.Changes[i]
	note := strconv.Itoa(n) + ": " + c.At.UTC().Format("2006-01-02 15:04")
	if model {
		note += ", " + canvas.Shorten(canvas.Regular(chart.SmallSize), canvas.Printable(s.Model), 150)
	}
	if arm {
		note += ", " + canvas.Shorten(canvas.Regular(chart.SmallSize), canvas.Printable(s.Arm), 150)
	}
	if c.Label != "" {
		note += ", " + c.Label
	}
	bounds := s.bounds()
	before, ok1 := s.level(bounds[i], c.At)
	after, ok2 := s.level(c.At, bounds[i+2])
	if ok1 && ok2 {
		note += ": from " + chart.TimeText(before) + " to " + chart.TimeText(after)
	}
	return note
}

// flag is a change with its number.
type flag struct {
	at     time.Time
	number int
}

// drawTrends draws the arms of a panel, then what is written about them.
func drawTrends(f chart.Frame, arms []placedRow[TrendSeries], changed []flag) {
	beside := &chart.Labels{Within: f.Rectangle}
	for _, arm := range arms {
		arm.item.draw(f, chart.LookOf(arm.arm), beside)
	}
	drawFlags(f, changed, beside)
	face := canvas.Regular(chart.SmallSize)
	for _, arm := range arms {
		for _, p := range arm.item.Points {
			if p.Label != "" {
				beside.Put(f.Canvas, face, f.At(seconds(p.At), p.TimeS), canvas.Shorten(face, canvas.Printable(p.Label), 80))
			}
		}
	}
}

func (s TrendSeries) draw(f chart.Frame, l chart.Look, beside *chart.Labels) {
	bounds := s.bounds()
	for i := range len(bounds) - 1 {
		level, ok := s.level(bounds[i], bounds[i+1])
		if !ok || len(s.Changes) == 0 {
			continue
		}
		from := max(f.X(seconds(bounds[i])), f.X(seconds(s.Points[0].At)))
		to := f.X(seconds(bounds[i+1]))
		chart.Stroke(f.Canvas, draw.LineStyle{Color: chart.Tint(l.Ink, 0.3), Width: 2.4}, vg.Point{X: from, Y: f.Y(level)}, vg.Point{X: to, Y: f.Y(level)})
	}
	var line []vg.Point
	for i, p := range s.Points {
		pt := f.At(seconds(p.At), p.TimeS)
		line = append(line, pt)
		beside.Block(pt, 3)
		if i > 0 {
			beside.BlockLine(line[i-1], pt)
		}
		if i := p.Interval; i != nil {
			chart.Stroke(f.Canvas, draw.LineStyle{Color: chart.Soft, Width: 0.7}, f.At(seconds(p.At), i.LowS), f.At(seconds(p.At), i.HighS))
		}
	}
	l.Stroke(f.Canvas, 0.8, line...)
	r := vg.Length(2.6)
	if len(line) > 150 {
		r = 1.6
	}
	for i, pt := range line {
		p := s.Points[i]
		f.Point(l, pt, r, named(s.Model, s.Arm)+"\n"+p.At.UTC().Format("2006-01-02 15:04")+" UTC\n"+chart.TimeText(p.TimeS))
	}
}

// drawFlags draws the changes with their numbers at the top. Changes too near
// for flags of their own share one.
func drawFlags(f chart.Frame, changed []flag, beside *chart.Labels) {
	face := canvas.Bold(chart.SmallSize)
	for len(changed) > 0 {
		first, n := f.X(seconds(changed[0].at)), 1
		last := first
		for ; n < len(changed) && f.X(seconds(changed[n].at)) < last+face.Width(numbersOf(changed[:n]))+8; n++ {
			last = f.X(seconds(changed[n].at))
		}
		for _, c := range changed[:n] {
			x := f.X(seconds(c.at))
			f.Rule(seconds(c.at), draw.LineStyle{Color: chart.Black, Width: 0.8, Dashes: []vg.Length{3, 2}})
			beside.BlockLine(vg.Point{X: x, Y: f.Min.Y}, vg.Point{X: x, Y: f.Max.Y})
		}
		text := numbersOf(changed[:n])
		middle, half := vg.Point{X: (first + last) / 2, Y: f.Max.Y - 6}, face.Width(text)/2+2.5
		middle.X = min(max(middle.X, f.Min.X+half), f.Max.X-half)
		box := vg.Rectangle{Min: vg.Point{X: middle.X - half, Y: middle.Y - 5}, Max: vg.Point{X: middle.X + half, Y: middle.Y + 5}}
		chart.FillBox(f.Canvas, box, chart.White, chart.Plain)
		canvas.Text(f, face, chart.Black, middle, canvas.AtMiddle, text)
		beside.BlockRect(box)
		changed = changed[n:]
	}
}

// numbersOf writes the numbers of flags that share one: 3, 1–4 or 1, 7.
func numbersOf(flags []flag) string {
	var all []int
	for _, f := range flags {
		all = append(all, f.number)
	}
	slices.Sort(all)
	first, last := all[0], all[len(all)-1]
	switch {
	case len(all) == 1:
		return strconv.Itoa(first)
	case last-first == len(all)-1:
		return strconv.Itoa(first) + "–" + strconv.Itoa(last)
	case len(all) == 2:
		return strconv.Itoa(first) + ", " + strconv.Itoa(last)
	}
	return strconv.Itoa(first) + ", …, " + strconv.Itoa(last)
}

// inOrder is the series with its points and changes in the order of time.
func (s TrendSeries) inOrder() TrendSeries {
	s.Points = slices.SortedStableFunc(slices.Values(s.Points), func(a, b TrendPoint) int { return a.At.Compare(b.At) })
	s.Changes = slices.SortedStableFunc(slices.Values(s.Changes), func(a, b Change) int { return a.At.Compare(b.At) })
	return s
}

func seconds(t time.Time) float64 { return float64(t.Unix()) + float64(t.Nanosecond())/1e9 }

// span says the days that an axis covers, whose ticks leave the year out.
func span(first, last float64) string {
	day := func(s float64) string { return time.Unix(int64(s), 0).UTC().Format("2006-01-02") }
	if day(first) == day(last) {
		return day(first)
	}
	return day(first) + " to " + day(last)
}

func (d Trend) rows() [][]string {
	rows := [][]string{{"kind", "model", "arm", "at", "loading_time_s", "low_s", "high_s", "label"}}
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	for _, s := range d.Series {
		for _, p := range s.Points {
			low, high := "", ""
			if p.Interval != nil {
				low, high = number(p.Interval.LowS), number(p.Interval.HighS)
			}
			rows = append(rows, []string{"point", s.Model, s.Arm, at(p.At), number(p.TimeS), low, high, p.Label})
		}
		for _, c := range s.Changes {
			rows = append(rows, []string{"change", s.Model, s.Arm, at(c.At), "", "", "", c.Label})
		}
	}
	return rows
}
