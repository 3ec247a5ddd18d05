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
	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Trend is how loading times moved over days and weeks.
type Trend struct {
	Subtitle string
	Series   []TrendSeries
	Looks    Looks
}

// TrendSeries is an arm over time.
type TrendSeries struct {
	record.Arm
	Points  []TrendPoint
	Changes []Change
}

// TrendPoint is one measurement, such as the median of a run.
type TrendPoint struct {
	At       time.Time
	TimeS    float64
	Interval *Interval // nil: no whisker
	Label    string    // shown where there is room
}

// Change is a moment at which the level moved.
type Change struct {
	At    time.Time
	Label string
}

// DrawTrend draws a panel per group with its points over time, the median of each
// stretch between changes as a line, and changes as numbered flags that the notes
// explain.
func DrawTrend(d Trend) (*Picture, error) {
	rows, err := arrange(d.Series, d.Looks, func(s TrendSeries) record.Arm { return s.Arm })
	if err != nil {
		return nil, fmt.Errorf("trend: %w", err)
	}
	first, last := math.Inf(1), math.Inf(-1)
	for _, row := range rows.rows {
		if err := row.item.check(row.name); err != nil {
			return nil, fmt.Errorf("trend: %w", err)
		}
		for _, at := range row.item.moments() {
			first, last = math.Min(first, seconds(at)), math.Max(last, seconds(at))
		}
	}
	fig := &chart.Figure{Title: "Loading time of " + rows.subject + " over time", Subtitle: d.Subtitle, Columns: 1, Legend: rows.legend(chart.LineKey)}
	x := chart.Axis{Label: "UTC, " + span(first, last), Low: first, High: last, Ticks: chart.TimeTicks, GridLines: true}
	pad := math.Max((last-first)*0.03, 1800)
	x.Low, x.High = first-pad, last+pad
	flags := 0
	for g, group := range rows.groups {
		p := &chart.Panel{Title: group, X: x, Height: 84, MinHeight: 40, HideXLabels: g < len(rows.groups)-1}
		if len(rows.groups) == 1 {
			p.Title, p.Height = "", 190
		}
		lowest, highest := math.Inf(1), math.Inf(-1)
		arms := rows.inGroup(g)
		var changed []flag
		for i := range arms {
			s := arms[i].item.inOrder()
			arms[i].item = s
			low, high := minMax(s.loadingTimes())
			lowest, highest = math.Min(lowest, low), math.Max(highest, high)
			var name string // as much of it as the legend does not say
			if len(rows.groups) > 1 {
				name += ", " + shortened(group)
			}
			if len(rows.series) > 1 {
				name += ", " + shortened(rows.series[arms[i].series])
			}
			for c, change := range s.Changes {
				flags++
				changed = append(changed, flag{change.At, flags})
				fig.Notes = append(fig.Notes, strconv.Itoa(flags)+": "+s.explain(c, name))
			}
		}
		slices.SortStableFunc(changed, func(a, b flag) int { return a.at.Compare(b.at) })
		p.Paint = append(p.Paint, func(f chart.Frame) { drawTrends(f, arms, changed) })
		p.Y = chart.Around("Loading time", chart.TimeUnit, lowest, highest)
		if len(changed) > 0 { // room for the flags
			p.Y.High += (p.Y.High - p.Y.Low) * 0.16
		}
		fig.Panels = append(fig.Panels, p)
	}
	if flags > 0 {
		fig.Notes = append([]string{"Lines: median of each stretch between changes. Changes:"}, fig.Notes...)
	}
	return &Picture{fig, d.rows(rows.names)}, nil
}

func (s TrendSeries) check(name string) error {
	if len(s.Points) == 0 {
		return fmt.Errorf("%s has no points", name)
	}
	for _, at := range s.moments() {
		if at.Year() < 1970 || at.Year() > 2200 {
			return fmt.Errorf("%s has a point in the year %d", name, at.Year())
		}
	}
	return amounts("loading time", name, s.loadingTimes()...)
}

// moments are the moments of all points and changes.
func (s TrendSeries) moments() []time.Time {
	var all []time.Time
	for _, p := range s.Points {
		all = append(all, p.At)
	}
	for _, c := range s.Changes {
		all = append(all, c.At)
	}
	return all
}

// loadingTimes are all times that the points show, in seconds.
func (s TrendSeries) loadingTimes() []float64 {
	var all []float64
	for _, p := range s.Points {
		all = append(all, p.TimeS)
		if p.Interval != nil {
			all = append(all, p.Interval.LowS, p.Interval.HighS)
		}
	}
	return all
}

// level is the median of the points in [from, until), if there are any.
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
	return stats.Median(all), true
}

// bounds are the starts of the stretches, and the end of the last one.
func (s TrendSeries) bounds() []time.Time {
	bounds := []time.Time{time.Unix(0, 0)}
	for _, c := range s.Changes {
		bounds = append(bounds, c.At)
	}
	return append(bounds, s.Points[len(s.Points)-1].At.Add(time.Nanosecond))
}

// explain is the note of the i-th change of a series.
func (s TrendSeries) explain(i int, name string) string {
	c := s.Changes[i]
	note := c.At.UTC().Format("2006-01-02 15:04") + name
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

// drawTrends draws the arms of a panel, then flags and labels around them.
func drawTrends(f chart.Frame, arms []placed[TrendSeries], changed []flag) {
	labels := &chart.Labels{Within: f.Rectangle}
	for _, arm := range arms {
		arm.item.draw(f, arm.name, arm.look, labels)
	}
	drawFlags(f, changed, labels)
	face := canvas.Regular(chart.SmallSize)
	for _, arm := range arms {
		for _, p := range arm.item.Points {
			if p.Label != "" {
				labels.Put(f.Canvas, face, f.At(seconds(p.At), p.TimeS), canvas.Shorten(face, canvas.Printable(p.Label), 80))
			}
		}
	}
}

func (s TrendSeries) draw(f chart.Frame, name string, l chart.Look, labels *chart.Labels) {
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
		labels.Block(pt, 3)
		if i > 0 {
			labels.BlockLine(line[i-1], pt)
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
		f.Point(l, pt, r, name+"\n"+p.At.UTC().Format("2006-01-02 15:04")+" UTC\n"+chart.TimeText(p.TimeS))
	}
}

// drawFlags draws changes as lines with their numbers at the top. Changes too close
// for flags of their own share one.
func drawFlags(f chart.Frame, changed []flag, labels *chart.Labels) {
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
			labels.BlockLine(vg.Point{X: x, Y: f.Min.Y}, vg.Point{X: x, Y: f.Max.Y})
		}
		text := numbersOf(changed[:n])
		middle, half := vg.Point{X: (first + last) / 2, Y: f.Max.Y - 6}, face.Width(text)/2+2.5
		middle.X = min(max(middle.X, f.Min.X+half), f.Max.X-half)
		box := vg.Rectangle{Min: vg.Point{X: middle.X - half, Y: middle.Y - 5}, Max: vg.Point{X: middle.X + half, Y: middle.Y + 5}}
		chart.FillBox(f.Canvas, box, chart.White, chart.Plain)
		canvas.Text(f, face, chart.Black, middle, canvas.AtMiddle, text)
		labels.BlockRect(box)
		changed = changed[n:]
	}
}

// numbersOf writes the numbers in a shared flag: 3, 1–4 or 1, 7.
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

// inOrder is the series with points and changes sorted by time.
func (s TrendSeries) inOrder() TrendSeries {
	s.Points = slices.SortedStableFunc(slices.Values(s.Points), func(a, b TrendPoint) int { return a.At.Compare(b.At) })
	s.Changes = slices.SortedStableFunc(slices.Values(s.Changes), func(a, b Change) int { return a.At.Compare(b.At) })
	return s
}

// seconds since 1970.
func seconds(t time.Time) float64 { return float64(t.Unix()) + float64(t.Nanosecond())/1e9 }

// shortened cuts a name to fit a note.
func shortened(name string) string {
	return canvas.Shorten(canvas.Regular(chart.SmallSize), canvas.Printable(name), 150)
}

// span is the days that an axis covers: the labels of ticks leave out the year.
func span(first, last float64) string {
	day := func(s float64) string { return time.Unix(int64(s), 0).UTC().Format("2006-01-02") }
	if day(first) == day(last) {
		return day(first)
	}
	return day(first) + " to " + day(last)
}

func (d Trend) rows(names Names) [][]string {
	rows := [][]string{{"kind", "model", "arm", "at", "loading_time_s", "low_s", "high_s", "label"}}
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	for _, s := range d.Series {
		for _, p := range s.Points {
			low, high := "", ""
			if p.Interval != nil {
				low, high = number(p.Interval.LowS), number(p.Interval.HighS)
			}
			rows = append(rows, []string{"point", names.group(s.Arm), names.series(s.Arm), at(p.At), number(p.TimeS), low, high, p.Label})
		}
		for _, c := range s.Changes {
			rows = append(rows, []string{"change", names.group(s.Arm), names.series(s.Arm), at(c.At), "", "", "", c.Label})
		}
	}
	return rows
}
