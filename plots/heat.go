package plots

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/canvas"
	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/queries/stats"
)

// Heat are the read rates of a sweep over threads, depth and I/O size.
type Heat struct {
	Subtitle string
	Cells    []HeatCell
}

// Setting is a way to read.
type Setting struct {
	Threads, Depth int
	IOBytes        int64
}

// HeatCell is what one setting reached.
type HeatCell struct {
	Setting
	TrialsBytesPerS []float64
}

// rate is the median of the trials.
func (c HeatCell) rate() float64 { return stats.Median(c.TrialsBytesPerS) }

// DrawHeat draws a map of depth by I/O size per number of threads: darker is faster,
// and each cell contains its median rate. Stars mark the best setting and all that
// cannot be told apart from it. If there are too few trials to tell any setting
// apart, there are no stars.
func DrawHeat(d Heat) (*Picture, error) {
	if len(d.Cells) == 0 {
		return nil, fmt.Errorf("heat map: %w", errEmpty)
	}
	var threads, depths []int
	var sizes []int64
	var rates []float64
	var best HeatCell
	seen := map[Setting]bool{}
	for _, c := range d.Cells {
		setting := c.Setting
		if len(c.TrialsBytesPerS) == 0 {
			return nil, fmt.Errorf("heat map: %s has no trials", setting.name())
		}
		if err := amounts("rate", setting.name(), c.TrialsBytesPerS...); err != nil {
			return nil, fmt.Errorf("heat map: %w", err)
		}
		if c.Threads < 1 || c.Depth < 1 || c.IOBytes < 1 {
			return nil, fmt.Errorf("heat map: %s is not a setting", setting.name())
		}
		if seen[setting] {
			return nil, fmt.Errorf("heat map: %s appears twice", setting.name())
		}
		seen[setting] = true
		threads, depths, sizes = append(threads, c.Threads), append(depths, c.Depth), append(sizes, c.IOBytes)
		rates = append(rates, c.rate())
		if len(rates) == 1 || c.rate() > best.rate() {
			best = c
		}
	}
	low, high := minMax(rates)
	m := heatMap{depths: sorted(depths), sizes: sorted(sizes), low: low, high: high, unit: chart.RateUnit(high)}
	ties, err := d.ties(best)
	if err != nil {
		return nil, fmt.Errorf("heat map: %w", err)
	}
	m.starred = ties
	need, err := stats.NeedPerArm(heatAlpha)
	if err != nil {
		return nil, fmt.Errorf("heat map: %w", err)
	}
	threads = sorted(threads)
	m.threads = len(threads) > 1
	fig := &chart.Figure{Columns: 1, Notes: []string{"Darker is faster. Best median: " + chart.RateText(best.rate()) + " with " + m.name(best.Setting) + "."}}
	switch {
	case len(d.Cells) == 1:
	case !d.testable(best):
		m.starred = nil
		fig.Notes[0] += fmt.Sprintf(" No other setting can be told apart from it: that takes at least %d trials of each.", need)
	case len(ties) == 1:
		fig.Notes[0] += fmt.Sprintf(" All other settings are slower (Mann-Whitney, p < %g each).", heatAlpha)
	default:
		fig.Notes[0] += fmt.Sprintf(" Stars: it and %s that cannot be told apart from it (Mann-Whitney, p >= %g).", plural(len(ties)-1, "other", "others"), heatAlpha)
	}
	if len(m.sizes) <= 7 && len(threads) > 1 {
		fig.Columns = 2
	}
	if len(seen) < len(threads)*len(m.depths)*len(m.sizes) {
		fig.Notes[0] += " Hatched: not measured."
	}
	for _, n := range threads {
		fig.Panels = append(fig.Panels, m.panel(n, d.Cells))
	}
	by := ") by depth and I/O size"
	if m.threads {
		by = ") by threads, depth and I/O size"
	}
	fig.Title, fig.Subtitle = "Read rate ("+m.unit.Name+by, d.Subtitle
	return &Picture{fig, d.rows()}, nil
}

// heatAlpha is the significance of a difference from the best setting. It is not
// corrected for the number of settings: the correction would star settings that are
// plainly slower.
const heatAlpha = 0.05

// ties are the best setting and those that cannot be told apart from it.
func (d Heat) ties(best HeatCell) (map[Setting]bool, error) {
	ties := map[Setting]bool{best.Setting: true}
	for _, c := range d.Cells {
		test, err := stats.MannWhitney(best.TrialsBytesPerS, c.TrialsBytesPerS)
		if err != nil {
			return nil, fmt.Errorf("compare %s with %s: %w", c.name(), best.name(), err)
		}
		if test.P >= heatAlpha {
			ties[c.Setting] = true
		}
	}
	return ties, nil
}

// testable reports whether there are enough trials to tell any setting apart from the
// best.
func (d Heat) testable(best HeatCell) bool {
	return slices.ContainsFunc(d.Cells, func(c HeatCell) bool {
		return c.Setting != best.Setting && stats.SmallestP(len(best.TrialsBytesPerS), len(c.TrialsBytesPerS)) < heatAlpha
	})
}

// name is the setting in words.
func (s Setting) name() string {
	return plural(s.Threads, "thread", "threads") + ", depth " + strconv.Itoa(s.Depth) + ", " + binary(s.IOBytes)
}

// name is a setting in words, without the threads if all settings have the same.
func (m heatMap) name(s Setting) string {
	if m.threads {
		return s.name()
	}
	return "depth " + strconv.Itoa(s.Depth) + ", " + binary(s.IOBytes)
}

// binary writes a size as I/O sizes are usually written: 256K, 1M.
func binary(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}} {
		if n >= u.size {
			return strconv.FormatFloat(math.Round(float64(n)/float64(u.size)*100)/100, 'f', -1, 64) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// sorted are the different values of list in ascending order.
func sorted[T int | int64](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
}

// heatMap is what the panels of a sweep have in common.
type heatMap struct {
	depths    []int
	sizes     []int64
	low, high float64
	unit      chart.Unit
	starred   map[Setting]bool
	threads   bool // differ
}

// panel is the map for a number of threads.
func (m heatMap) panel(threads int, cells []HeatCell) *chart.Panel {
	p := &chart.Panel{Height: max(40, 22*vg.Length(len(m.depths))), MinHeight: max(32, 11*vg.Length(len(m.depths)))}
	if m.threads {
		p.Title = plural(threads, "thread", "threads")
	}
	p.X = chart.Axis{Label: "I/O size (K = KiB, M = MiB)", High: float64(len(m.sizes))}
	p.Y = chart.Axis{Label: "Depth", High: float64(len(m.depths))}
	for i, size := range m.sizes {
		name := binary(size)
		if i > 0 && name == binary(m.sizes[i-1]) {
			name = strconv.FormatInt(size, 10)
		}
		p.X.Names = append(p.X.Names, chart.Tick{Value: float64(i) + 0.5, Label: name})
	}
	for i, depth := range m.depths {
		p.Y.Names = append(p.Y.Names, chart.Tick{Value: float64(i) + 0.5, Label: strconv.Itoa(depth)})
	}
	p.Paint = append(p.Paint, func(f chart.Frame) {
		chart.HatchBox(f.Canvas, f.Rectangle, chart.Tint(chart.Soft, 0.5), chart.Rising)
		face := m.face(f.Size().X/vg.Length(len(m.sizes)) - 3)
		for _, c := range cells {
			if c.Threads == threads {
				m.cell(f, face, c)
			}
		}
		for _, c := range cells {
			if c.Threads == threads && m.starred[c.Setting] {
				m.mark(f, face, c)
			}
		}
	})
	return p
}

// box is the place of a cell.
func (m heatMap) box(f chart.Frame, c HeatCell) vg.Rectangle {
	x, y := float64(slices.Index(m.sizes, c.IOBytes)), float64(slices.Index(m.depths, c.Depth))
	return vg.Rectangle{Min: f.At(x, y), Max: f.At(x+1, y+1)}
}

func (m heatMap) cell(f chart.Frame, face *font.Face, c HeatCell) {
	ink := m.colour(c.rate())
	box := m.box(f, c)
	text := m.name(c.Setting) + "\n" + chart.RateText(c.rate())
	if n := len(c.TrialsBytesPerS); n > 1 {
		low, high := minMax(c.TrialsBytesPerS)
		text += fmt.Sprintf("\nmedian of %d trials, %s to %s", n, chart.RateText(low), chart.RateText(high))
	}
	f.Hover(text, func() {
		f.SetColor(ink)
		f.Fill(box.Path())
	})
	chart.Stroke(f.Canvas, draw.LineStyle{Color: chart.White, Width: 0.8}, chart.Corners(box)...)
	canvas.Text(f, face, chart.Readable(ink), vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: (box.Min.Y + box.Max.Y) / 2}, canvas.AtMiddle, m.text(c.rate()))
}

// mark frames a cell and draws a star in its corner.
func (m heatMap) mark(f chart.Frame, face *font.Face, c HeatCell) {
	box := m.box(f, c)
	for _, s := range []draw.LineStyle{{Color: chart.White, Width: 3.4}, {Color: chart.Black, Width: 1.8}} {
		chart.Stroke(f.Canvas, s, append(chart.Corners(box), vg.Point{X: box.Max.X, Y: box.Min.Y})...)
	}
	if r := min(3.2, box.Size().X/8); box.Size().Y > face.Font.Size+4 {
		chart.Star.Draw(f.Canvas, vg.Point{X: box.Max.X - 1.6*r, Y: box.Max.Y - 1.6*r}, r, chart.LookOf(5).Ink)
	}
}

// text has two decimals in every cell, so that cells compare easily.
func (m heatMap) text(rate float64) string {
	return strconv.FormatFloat(rate/m.unit.Size, 'f', 2, 64)
}

// face is the largest font in which the widest number fits a cell.
func (m heatMap) face(width vg.Length) *font.Face {
	size := vg.Length(chart.TickSize)
	for size > 3 && canvas.Regular(size).Width(m.text(m.high)) > width {
		size -= 0.5
	}
	return canvas.Regular(size)
}

// colour is darker for faster cells.
func (m heatMap) colour(rate float64) color.NRGBA {
	if m.high == m.low {
		return chart.Shade(0.5)
	}
	return chart.Shade((rate - m.low) / (m.high - m.low))
}

func (d Heat) rows() [][]string {
	rows := [][]string{{"threads", "depth", "io_bytes", "bytes_per_s", "trials"}}
	for _, c := range d.Cells {
		rows = append(rows, []string{strconv.Itoa(c.Threads), strconv.Itoa(c.Depth), strconv.FormatInt(c.IOBytes, 10), number(c.rate()), strconv.Itoa(len(c.TrialsBytesPerS))})
	}
	return rows
}
