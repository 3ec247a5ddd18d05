package plots

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Timeline is one load from within: what became of each chunk, and what was
// sampled meanwhile. Times are since the load began.
type Timeline struct {
	Caption
	Model, Arm   string
	LoadingTimeS float64
	Chunks       []Chunk
	Samples      []Samples
}

// Chunk is a piece of a checkpoint on its way to the device.
type Chunk struct {
	Thread string
	Bytes  int64
	Phases []Phase // queued, read, copy
}

// Phase is what happens to a chunk for a while.
type Phase struct {
	Name         string
	StartS, EndS float64
}

// Samples are one kind of telemetry.
type Samples struct {
	Name, Unit string // of Values
	Steps      bool   // a value holds until the next one
	TimesS     []float64
	Values     []float64
}

// DrawTimeline draws the chunks by thread over time. Chunks of a thread that
// overlap in time stand below each other. Samples follow in panels of their own.
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
	x := from0("Time since the load began", timeUnit(end), end)
	if end > 0 {
		x.high = end * 1.02
	}

	lanes := &panel{x: x, quietX: len(d.Samples) > 0}
	y := 0.0
	for _, thread := range threads {
		placed, n := d.lanes(thread)
		high := math.Max(1, float64(n)*0.55) // of a thread, where one is a line of text
		lanes.y.names = append(lanes.y.names, tick{y + high/2, thread})
		top, each := y+0.08, (high-0.16)/float64(n)
		for lane, chunks := range placed {
			for _, c := range chunks {
				lanes.paint = append(lanes.paint, func(f frame) { drawChunk(f, c, top+float64(lane)*each, each, phases) })
			}
		}
		y += high
	}
	lanes.y.low = y
	lanes.height = vg.Length(max(y, 4)) * 13
	lanes.least = vg.Length(y) * 9
	fig := &figure{panels: []*panel{lanes}}
	for _, name := range phases {
		l := lookOfPhase(name, phases)
		fig.legend = append(fig.legend, swatch(name, l.ink, l.hatch))
	}
	for i, s := range d.Samples {
		fig.panels = append(fig.panels, samplePanel(s, x, i < len(d.Samples)-1))
	}
	if d.LoadingTimeS > 0 {
		for _, p := range fig.panels {
			p.paint = append(p.paint, func(f frame) {
				stroke(f.Canvas, draw.LineStyle{Color: black, Width: 0.9, Dashes: []vg.Length{3, 2}}, vg.Point{X: f.x(d.LoadingTimeS), Y: f.Min.Y}, vg.Point{X: f.x(d.LoadingTimeS), Y: f.Max.Y})
			})
		}
		fig.legend = append(fig.legend, key{"loaded, after " + timeText(d.LoadingTimeS), func(c draw.Canvas, r vg.Rectangle) {
			x := (r.Min.X + r.Max.X) / 2
			stroke(c, draw.LineStyle{Color: black, Width: 0.9, Dashes: []vg.Length{3, 2}}, vg.Point{X: x, Y: r.Min.Y}, vg.Point{X: x, Y: r.Max.Y})
		}})
	}
	name := d.Model
	if d.Arm != "" {
		name += ", " + d.Arm
	}
	fig.title, fig.subtitle = d.or("One load of " + name)
	return &Picture{fig, d.rows()}, nil
}

func (d Timeline) check() error {
	if err := amount(d.LoadingTimeS, "loading time", d.Model, d.Arm); err != nil {
		return err
	}
	for i, c := range d.Chunks {
		if len(c.Phases) == 0 {
			return fmt.Errorf("chunk %d has no phase", i)
		}
		for _, p := range c.Phases {
			if err := amounts([]float64{p.StartS, p.EndS}, "time of "+p.Name, "chunk "+itoa(i)); err != nil {
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
		if err := amounts(s.TimesS, "time of a sample", s.Name); err != nil {
			return err
		}
		if err := amounts(s.Values, "sample", s.Name); err != nil {
			return err
		}
	}
	return nil
}

// lanes puts a thread's chunks into as few lanes as hold them without overlap.
func (d Timeline) lanes(thread string) (lanes [][]Chunk, n int) {
	var chunks []Chunk
	for _, c := range d.Chunks {
		if c.Thread == thread {
			chunks = append(chunks, c)
		}
	}
	slices.SortStableFunc(chunks, func(a, b Chunk) int { return cmp.Compare(a.start(), b.start()) })
	var free []float64
	for _, c := range chunks {
		lane := slices.IndexFunc(free, func(t float64) bool { return t <= c.start()+1e-12 })
		if lane < 0 {
			lane = len(free)
			free, lanes = append(free, 0), append(lanes, nil)
		}
		free[lane] = c.end()
		lanes[lane] = append(lanes[lane], c)
	}
	return lanes, len(lanes)
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

// lookOfPhase keeps the usual phases alike in every timeline; waiting is grey.
func lookOfPhase(name string, all []string) look {
	switch name {
	case "queued":
		return look{ink: faint}
	case "read":
		return lookOf(0)
	case "copy":
		return lookOf(1)
	}
	return lookOf(2 + indexOf(all, name))
}

func drawChunk(f frame, c Chunk, top, high float64, phases []string) {
	for _, p := range c.Phases {
		l := lookOfPhase(p.Name, phases)
		inset := 0.06 * high
		if p.Name == "queued" {
			inset = 0.3 * high
		}
		r := vg.Rectangle{Min: f.at(p.StartS, top+high-inset), Max: f.at(p.EndS, top+inset)}
		f.tell(c.text(p), func() {
			if r.Size().X < 2.5 { // an edge would hide what it is around
				f.SetColor(l.ink)
				f.Fill(r.Path())
				return
			}
			filled(f.Canvas, r, l.ink, l.hatch)
		})
	}
}

// text is a phase of the chunk in words.
func (c Chunk) text(p Phase) string {
	text := p.Name + " " + byteUnit(float64(c.Bytes)).with(float64(c.Bytes)) + ", " + c.Thread
	text += "\nfrom " + timeText(p.StartS) + " to " + timeText(p.EndS)
	if took := p.EndS - p.StartS; took > 0 && p.Name != "queued" {
		text += ", " + rateText(float64(c.Bytes)/took)
	}
	return text
}

func samplePanel(s Samples, x axis, quiet bool) *panel {
	_, high := minMax(s.Values)
	if high == 0 {
		high = 1
	}
	label := s.Name
	if s.Unit != "" {
		label += " (" + s.Unit + ")"
	}
	y := axis{high: high * 1.1, ticks: linearTicks(unit{size: 1}), lines: true}
	return &panel{title: label, x: x, y: y, height: 46, quietX: quiet, paint: []func(frame){func(f frame) {
		order := make([]int, len(s.TimesS))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.TimesS[a], s.TimesS[b]) })
		var line []vg.Point
		for n, i := range order {
			if s.Steps && n > 0 {
				line = append(line, f.at(s.TimesS[i], s.Values[order[n-1]]))
			}
			line = append(line, f.at(s.TimesS[i], s.Values[i]))
		}
		stroke(f.Canvas, draw.LineStyle{Color: lookOf(0).ink, Width: 1.2}, line...)
		if len(s.TimesS) > 60 || s.Steps {
			return
		}
		for i, pt := range line {
			f.point(look{ink: lookOf(0).ink, mark: disc}, pt, 1.5, s.Name+" "+strings.TrimSpace(digits(s.Values[order[i]])+" "+s.Unit)+"\nafter "+timeText(s.TimesS[order[i]]))
		}
	}}}
}

// rows holds the chunks' phases and the samples, told apart by kind.
func (d Timeline) rows() [][]string {
	rows := [][]string{{"kind", "thread", "chunk", "bytes", "name", "start_s", "end_s", "value", "unit"}}
	for i, c := range d.Chunks {
		for _, p := range c.Phases {
			rows = append(rows, []string{"chunk", c.Thread, itoa(i), itoa(int(c.Bytes)), p.Name, number(p.StartS), number(p.EndS), "", ""})
		}
	}
	for _, s := range d.Samples {
		for i, t := range s.TimesS {
			rows = append(rows, []string{"sample", "", "", "", s.Name, number(t), "", number(s.Values[i]), s.Unit})
		}
	}
	return rows
}
