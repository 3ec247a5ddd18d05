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
)

// Heat are the read rates of a sweep over threads, depth and I/O size.
type Heat struct {
	Subtitle string
	Cells    []HeatCell
}

// HeatCell is the rate of one setting.
type HeatCell struct {
	Threads, Depth int
	IOBytes        int64
	BytesPerS      float64
}

// DrawHeat draws a map of depth by I/O size per number of threads: darker is faster,
// each cell contains its rate, and the best one has a star.
func DrawHeat(d Heat) (*Picture, error) {
	if len(d.Cells) == 0 {
		return nil, fmt.Errorf("heat map: %w", errEmpty)
	}
	var threads, depths []int
	var sizes []int64
	var rates []float64
	best := d.Cells[0]
	seen := map[HeatCell]bool{}
	for _, c := range d.Cells {
		setting := HeatCell{Threads: c.Threads, Depth: c.Depth, IOBytes: c.IOBytes}
		if err := amounts("rate", setting.name(), c.BytesPerS); err != nil {
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
		rates = append(rates, c.BytesPerS)
		if c.BytesPerS > best.BytesPerS {
			best = c
		}
	}
	low, high := minMax(rates)
	m := heatMap{depths: sorted(depths), sizes: sorted(sizes), low: low, high: high, unit: chart.RateUnit(high), best: best}
	threads = sorted(threads)
	m.threads = len(threads) > 1
	fig := &chart.Figure{Columns: 1, Notes: []string{"Darker is faster. Best: " + chart.RateText(best.BytesPerS) + " with " + m.name(best) + "."}}
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

// name is the setting in words.
func (c HeatCell) name() string {
	return plural(c.Threads, "thread", "threads") + ", depth " + strconv.Itoa(c.Depth) + ", " + binary(c.IOBytes)
}

// name is a setting in words, without the threads if all settings have the same.
func (m heatMap) name(c HeatCell) string {
	if m.threads {
		return c.name()
	}
	return "depth " + strconv.Itoa(c.Depth) + ", " + binary(c.IOBytes)
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
	best      HeatCell
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
		if m.best.Threads == threads {
			m.mark(f, face)
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
	ink := m.colour(c.BytesPerS)
	box := m.box(f, c)
	f.Hover(m.name(c)+"\n"+chart.RateText(c.BytesPerS), func() {
		f.SetColor(ink)
		f.Fill(box.Path())
	})
	chart.Stroke(f.Canvas, draw.LineStyle{Color: chart.White, Width: 0.8}, chart.Corners(box)...)
	canvas.Text(f, face, chart.Readable(ink), vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: (box.Min.Y + box.Max.Y) / 2}, canvas.AtMiddle, m.text(c.BytesPerS))
}

// mark frames the best cell and draws a star in its corner.
func (m heatMap) mark(f chart.Frame, face *font.Face) {
	box := m.box(f, m.best)
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
	rows := [][]string{{"threads", "depth", "io_bytes", "bytes_per_s"}}
	for _, c := range d.Cells {
		rows = append(rows, []string{strconv.Itoa(c.Threads), strconv.Itoa(c.Depth), strconv.FormatInt(c.IOBytes, 10), number(c.BytesPerS)})
	}
	return rows
}
