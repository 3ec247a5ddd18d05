package plots

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Timeline is one load from the inside: what happened to each chunk, and what was
// sampled meanwhile. Times are seconds since the load began.
type Timeline struct {
	Subtitle string
	record.Arm
	LoadingTimeS float64 // 0: not marked
	Chunks       []Chunk
	Samples      []Samples
}

// Chunk is a piece of a checkpoint on its way to the device.
type Chunk struct {
	Thread string
	Bytes  int64
	Phases []Phase // queued, read, copy
}

// Phase is a span of time in which one thing happens to a chunk.
type Phase struct {
	Name         string
	StartS, EndS float64
}

// Samples are the values of one metric over time.
type Samples struct {
	Name, Unit string // of Values
	Steps      bool   // a value holds until the next one
	TimesS     []float64
	Values     []float64
}

// DrawTimeline draws chunks by thread over time. Chunks of a thread that overlap in
// time are drawn below each other. Each metric has a panel of its own below them.
func DrawTimeline(d Timeline) (*Picture, error) {
	if len(d.Chunks) == 0 {
		return nil, fmt.Errorf("timeline: %w", errEmpty)
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("timeline: %w", err)
	}
	end := d.LoadingTimeS
	var threads, phases []string
	for _, c := range d.Chunks {
		threads = appendNew(threads, c.Thread)
		for _, p := range c.Phases {
			phases = appendNew(phases, p.Name)
			end = math.Max(end, p.EndS)
		}
	}
	for _, s := range d.Samples {
		for _, t := range s.TimesS {
			end = math.Max(end, t)
		}
	}
	x := chart.FromZero("Time since the load began", chart.TimeUnit(end), end)
	if end > 0 {
		x.High = end * 1.02
	}

	looks := looksOfPhases(phases)
	fig := &chart.Figure{Title: "One load of " + d.name(), Subtitle: d.Subtitle, Panels: []*chart.Panel{d.chunkPanel(x, threads, looks)}}
	for _, name := range phases {
		fig.Legend = append(fig.Legend, chart.SwatchKey(name, looks[name]))
	}
	for i, s := range d.Samples {
		fig.Panels = append(fig.Panels, samplePanel(s, x, i < len(d.Samples)-1))
	}
	if d.LoadingTimeS > 0 {
		style := draw.LineStyle{Color: chart.Black, Width: 0.9, Dashes: []vg.Length{3, 2}}
		for _, p := range fig.Panels {
			p.Paint = append(p.Paint, func(f chart.Frame) { f.Rule(d.LoadingTimeS, style) })
		}
		fig.Legend = append(fig.Legend, chart.RuleKey("loaded, after "+chart.TimeText(d.LoadingTimeS), style))
	}
	return &Picture{fig, d.rows()}, nil
}

// chunkPanel draws the chunks of each thread in lanes.
func (d Timeline) chunkPanel(x chart.Axis, threads []string, looks map[string]chart.Look) *chart.Panel {
	p := &chart.Panel{X: x, HideXLabels: len(d.Samples) > 0}
	y := 0.0
	for _, thread := range threads {
		lanes := d.lanes(thread)
		high := math.Max(1, float64(len(lanes))*0.55) // in lines of text
		p.Y.Names = append(p.Y.Names, chart.Tick{Value: y + high/2, Label: thread})
		top, each := y+0.08, (high-0.16)/float64(len(lanes))
		for lane, chunks := range lanes {
			for _, c := range chunks {
				p.Paint = append(p.Paint, func(f chart.Frame) { drawChunk(f, c, top+float64(lane)*each, each, looks) })
			}
		}
		y += high
	}
	p.Y.Low = y
	p.Height = vg.Length(max(y, 4)) * 13
	p.MinHeight = vg.Length(y) * 9
	return p
}

// name names the load's model, format and loader.
func (d Timeline) name() string {
	return joined(d.Model, strings.TrimSpace(record.FormatName(d.Format)+" "+d.Loader))
}

func (d Timeline) check() error {
	if err := amounts("loading time", d.name(), d.LoadingTimeS); err != nil {
		return err
	}
	for i, c := range d.Chunks {
		if len(c.Phases) == 0 {
			return fmt.Errorf("chunk %d has no phase", i)
		}
		for _, p := range c.Phases {
			if err := amounts("time of "+p.Name, "chunk "+strconv.Itoa(i), p.StartS, p.EndS); err != nil {
				return err
			}
			if p.EndS < p.StartS {
				return fmt.Errorf("%s of chunk %d ends before it begins", p.Name, i)
			}
		}
	}
	for _, s := range d.Samples {
		if len(s.TimesS) != len(s.Values) || len(s.Values) == 0 {
			return fmt.Errorf("samples of %s: %d times for %d values", s.Name, len(s.TimesS), len(s.Values))
		}
		if err := amounts("time of a sample", s.Name, s.TimesS...); err != nil {
			return err
		}
		if err := amounts("sample", s.Name, s.Values...); err != nil {
			return err
		}
	}
	return nil
}

// lanes divides the chunks of a thread into as few lanes as hold them without
// overlap.
func (d Timeline) lanes(thread string) [][]Chunk {
	var chunks []Chunk
	for _, c := range d.Chunks {
		if c.Thread == thread {
			chunks = append(chunks, c)
		}
	}
	slices.SortStableFunc(chunks, func(a, b Chunk) int { return cmp.Compare(a.start(), b.start()) })
	return lanes(chunks, func(c Chunk) (start, end float64) { return c.start(), c.end() }, 1e-12)
}

func (c Chunk) start() float64 {
	start := math.Inf(1)
	for _, p := range c.Phases {
		start = math.Min(start, p.StartS)
	}
	return start
}

func (c Chunk) end() float64 {
	end := 0.0
	for _, p := range c.Phases {
		end = math.Max(end, p.EndS)
	}
	return end
}

// looksOfPhases are the looks of stages, but waiting is grey.
func looksOfPhases(names []string) map[string]chart.Look {
	looks := looksOfStages(names)
	looks["queued"] = chart.Look{Ink: chart.Faint}
	return looks
}

func drawChunk(f chart.Frame, c Chunk, top, high float64, looks map[string]chart.Look) {
	for _, p := range c.Phases {
		l := looks[p.Name]
		inset := 0.06 * high
		if p.Name == "queued" {
			inset = 0.3 * high
		}
		r := vg.Rectangle{Min: f.At(p.StartS, top+high-inset), Max: f.At(p.EndS, top+inset)}
		f.Hover(c.text(p), func() {
			if r.Size().X < 2.5 { // too narrow for an edge
				f.SetColor(l.Ink)
				f.Fill(r.Path())
				return
			}
			chart.FillBox(f.Canvas, r, l.Ink, l.Hatch)
		})
	}
}

// text is a phase of the chunk in words.
func (c Chunk) text(p Phase) string {
	text := p.Name + " " + chart.ByteUnit(float64(c.Bytes)).Text(float64(c.Bytes)) + ", " + c.Thread
	text += "\nfrom " + chart.TimeText(p.StartS) + " to " + chart.TimeText(p.EndS)
	if took := p.EndS - p.StartS; took > 0 && p.Name != "queued" {
		text += ", " + chart.RateText(float64(c.Bytes)/took)
	}
	return text
}

// samplePanel draws the values of a metric.
func samplePanel(s Samples, x chart.Axis, hideX bool) *chart.Panel {
	_, high := minMax(s.Values)
	if high == 0 {
		high = 1
	}
	label := s.Name
	if s.Unit != "" {
		label += " (" + s.Unit + ")"
	}
	y := chart.Axis{High: high * 1.1, Ticks: chart.LinearTicks(chart.Unit{Size: 1}), GridLines: true}
	return &chart.Panel{Title: label, X: x, Y: y, Height: 46, HideXLabels: hideX, Paint: []func(chart.Frame){func(f chart.Frame) {
		order := make([]int, len(s.TimesS))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.TimesS[a], s.TimesS[b]) })
		var line []vg.Point
		for n, i := range order {
			if s.Steps && n > 0 {
				line = append(line, f.At(s.TimesS[i], s.Values[order[n-1]]))
			}
			line = append(line, f.At(s.TimesS[i], s.Values[i]))
		}
		chart.Stroke(f.Canvas, draw.LineStyle{Color: chart.LookOf(0).Ink, Width: 1.2}, line...)
		if len(s.TimesS) > 60 || s.Steps {
			return
		}
		for i, pt := range line {
			f.Point(chart.Look{Ink: chart.LookOf(0).Ink, Mark: chart.Disc}, pt, 1.5, s.Name+" "+strings.TrimSpace(chart.Digits(s.Values[order[i]])+" "+s.Unit)+"\nafter "+chart.TimeText(s.TimesS[order[i]]))
		}
	}}}
}

// rows are the phases of chunks, then the samples; the first column tells which.
func (d Timeline) rows() [][]string {
	rows := [][]string{{"kind", "thread", "chunk", "bytes", "name", "start_s", "end_s", "value", "unit"}}
	for i, c := range d.Chunks {
		for _, p := range c.Phases {
			rows = append(rows, []string{"chunk", c.Thread, strconv.Itoa(i), strconv.Itoa(int(c.Bytes)), p.Name, number(p.StartS), number(p.EndS), "", ""})
		}
	}
	for _, s := range d.Samples {
		for i, t := range s.TimesS {
			rows = append(rows, []string{"sample", "", "", "", s.Name, number(t), "", number(s.Values[i]), s.Unit})
		}
	}
	return rows
}
