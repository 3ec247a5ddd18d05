package plots

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/warehouse/record"
)

// drawn is a picture as a page of the default width.
func drawn(t *testing.T) func(p *Picture, err error) page {
	return func(p *Picture, err error) page {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return parseSVG(t, encode(t, p, "svg", DefaultOptions()))
	}
}

func (p page) want(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !p.has(text) {
			t.Errorf("no text %q", text)
		}
	}
}

// svgColour is how a colour is written in SVG.
func svgColour(c color.NRGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// inks are the colours of the first two series, and white.
func inks() (first, second, whites string) {
	return svgColour(chart.LookOf(0).Ink), svgColour(chart.LookOf(1).Ink), svgColour(chart.White)
}

func TestBarsHaveMediansAndSpeedups(t *testing.T) {
	blue, orange, whites := inks()
	d := Bars{Bars: []Bar{
		{Arm: armOf("a", "SafeTensors"), MeanS: 3, MedianS: ptr(3), Interval: &Interval{2, 4}}, {Arm: armOf("a", "SLLM"), MeanS: 1, MedianS: ptr(1)},
		{Arm: armOf("b", "SafeTensors"), MeanS: 6}, {Arm: armOf("b", "SLLM"), MeanS: 4},
		{Arm: armOf("c", "SLLM"), MeanS: 2},
	}}
	p := drawn(t)(DrawBars(d))
	p.want(t, "Mean loading time of 3 models", "Mean loading time (s)", "SafeTensors", "SLLM", "median", "a", "b", "c", "3.00×", "1.50×", "mean (s)", "6.00")
	if p.fills[blue] != 2+1 || p.fills[orange] != 3+1 { // one more in the legend
		t.Errorf("%d bars of the first arm, %d of the second", p.fills[blue], p.fills[orange])
	}
	if p.fills[whites] != 1+3+2 { // the page, two medians and the legend's, two arrows' texts
		t.Errorf("%d white shapes", p.fills[whites])
	}
	d.Baseline = armOf("", "SLLM")
	p = drawn(t)(DrawBars(d))
	p.want(t, "0.33×", "0.67×")

	milli := drawn(t)(DrawBars(Bars{Subtitle: "on vm", Bars: []Bar{{Arm: armOf("a", "x"), MeanS: 0.3}, {Arm: armOf("a", "y"), MeanS: 0.1}}}))
	milli.want(t, "on vm", "Mean loading time (ms)", "x", "y", "300", "3.00×")
}

// If bars would vanish, dots on a logarithmic axis replace them.
func TestBarsFarApartAreDots(t *testing.T) {
	p := drawn(t)(DrawBars(Bars{Bars: []Bar{{Arm: armOf("a", "x"), MeanS: 0.01}, {Arm: armOf("a", "y"), MeanS: 0.005}, {Arm: armOf("b", "x"), MeanS: 100}, {Arm: armOf("b", "y"), MeanS: 50}}}))
	p.want(t, "10 ms", "1 s", "100 s", "2.00×", "Mean loading time")
}

func TestECDFHasAPanelPerModel(t *testing.T) {
	p := drawn(t)(DrawECDF(ECDF{Series: []Series{{armOf("a", "x"), []float64{1, 2}}, {armOf("a", "y"), []float64{1}}, {armOf("b", "x"), []float64{3}}}}))
	p.want(t, "Distribution of the loading time of 2 models", "a", "b", "x", "y", "Loading time (s)", "Share of loads", "0.0", "1.0")
	blue, orange, _ := inks()
	if p.fills[blue] != 2+1 || p.fills[orange] != 1+1 { // the medians' markers
		t.Errorf("%d and %d markers", p.fills[blue], p.fills[orange])
	}
}

func TestBoxShowsEveryLoad(t *testing.T) {
	d := Box{Series: []Series{{armOf("a", "x"), madeTimes(0, 0, 17)}, {armOf("a", "y"), []float64{1, 2}}}, Seed: 7}
	p := drawn(t)(DrawBox(d))
	p.want(t, "Loading times of a", "x", "y", "1.50, 2", "median (s), loads")
	blue, orange, _ := inks()
	if p.fills[blue] != 17 || p.fills[orange] != 2 || p.fills[svgColour(chart.Tint(chart.LookOf(0).Ink, 0.35))] != 1 || p.fills[svgColour(chart.Tint(chart.LookOf(1).Ink, 0.35))] != 0 {
		t.Errorf("shapes %v: want 17 and 2 points, a box for the first only", p.fills)
	}
	once, err := DrawBox(d)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := DrawBox(d)
	d.Seed++
	other, _ := DrawBox(d)
	a, b, c := encode(t, once, "svg", DefaultOptions()), encode(t, again, "svg", DefaultOptions()), encode(t, other, "svg", DefaultOptions())
	if string(a) != string(b) || string(a) == string(c) {
		t.Error("the scatter of points does not depend on the seed alone")
	}
}

// A row ends where the load does. The second arm is faster because it copies while it
// reads, although its stages take longer in all.
func TestStagesLieOnTheTimeOfTheLoad(t *testing.T) {
	p := drawn(t)(DrawStages(Stages{Arms: []ArmStages{
		{Arm: armOf("a", "x"), LoadingTimeS: ptr(3), Stages: []Stage{{"read", 0, 2}, {"copy", 2, 3}}},
		{Arm: armOf("a", "y"), LoadingTimeS: ptr(2), Stages: []Stage{{"read", 0, 1.8}, {"copy", 0.2, 2}}},
	}}))
	p.want(t, "read", "copy", "loading time", "x", "y", "3.00", "2.00", "Time since the load began (s)", "Stages of an arm that overlap in time are drawn below each other.")
	slow := []box{p.at(t, "a, x\nread from 0 s to 2.00 s, 2.00 s"), p.at(t, "a, x\ncopy from 2.00 s to 3.00 s, 1.00 s")}
	fast := []box{p.at(t, "a, y\nread from 0 s to 1.80 s, 1.80 s"), p.at(t, "a, y\ncopy from 200 ms to 2.00 s, 1.80 s")}
	if end := p.at(t, "a, x\nloading time 3.00 s"); math.Abs(slow[1].maxX-end.minX) > 0.1 {
		t.Errorf("the slow arm's last stage ends at %g, its load at %g", slow[1].maxX, end.minX)
	}
	if end := p.at(t, "a, y\nloading time 2.00 s"); math.Abs(fast[1].maxX-end.minX) > 0.1 || end.minX >= slow[1].maxX {
		t.Errorf("the fast arm's stages end at %g, its load at %g, the slow one's at %g", fast[1].maxX, end.minX, slow[1].maxX)
	}
	if slow[1].minY != slow[0].minY || math.Abs(slow[1].minX-slow[0].maxX) > 0.1 {
		t.Errorf("stages that follow each other are at %v", slow)
	}
	if fast[0].meets(fast[1]) || fast[1].minX <= fast[0].minX {
		t.Errorf("stages that overlap in time are at %v", fast)
	}
	blue, orange, _ := inks()
	if p.fills[blue] != 2+1 || p.fills[orange] != 2+1 {
		t.Errorf("%d and %d stages", p.fills[blue], p.fills[orange])
	}
}

func TestTimelineShowsEveryPhase(t *testing.T) {
	p := drawn(t)(DrawTimeline(Timeline{Arm: armOf("a", "x"), LoadingTimeS: 0.9, Chunks: []Chunk{
		{"t0", 1, []Phase{{"queued", 0, 0.3}, {"read", 0.3, 0.6}, {"copy", 0.6, 0.9}}},
		{"t0", 1, []Phase{{"queued", 0, 0.6}, {"read", 0.6, 0.8}}},
		{"t1", 1, []Phase{{"read", 0.1, 0.5}}},
	}, Samples: []Samples{{Name: "CPU", Unit: "cores", TimesS: []float64{0, 0.5}, Values: []float64{1, 2}}}}))
	p.want(t, "One load of a, x", "t0", "t1", "queued", "read", "copy", "loaded, after 900 ms", "CPU (cores)", "Time since the load began (ms)")
	blue, orange, _ := inks()
	if p.fills[blue] != 3+1+2 || p.fills[orange] != 1+1 { // phases, the legend, samples
		t.Errorf("%d reads and %d copies", p.fills[blue], p.fills[orange])
	}
}

func TestOverlappingChunksHaveLanes(t *testing.T) {
	d := Timeline{Chunks: []Chunk{{"t", 1, []Phase{{"read", 0, 2}}}, {"t", 1, []Phase{{"read", 1, 3}}}, {"t", 1, []Phase{{"read", 2, 3}}}, {"u", 1, []Phase{{"read", 0, 9}}}}}
	if lanes := d.lanes("t"); len(lanes) != 2 || len(lanes[0]) != 2 || len(lanes[1]) != 1 {
		t.Errorf("lanes %v", lanes)
	}
}

func TestEfficiencyOver1IsFlagged(t *testing.T) {
	p := drawn(t)(DrawEfficiency(Efficiency{Arms: []ArmEfficiency{{armOf("a", "x"), []float64{0.5, 0.9, 1.2, 1}}, {armOf("b", "x"), []float64{0.7}}}}))
	p.want(t, "roofline", "over 1", "1 load is faster than the roofline: a label or the roofline is wrong.", "0.950")
	if n := p.lines[svgColour(chart.LookOf(4).Ink)]; n != 1+1 {
		t.Errorf("%d rings, want one and the legend's", n)
	}
	p = drawn(t)(DrawEfficiency(Efficiency{Arms: []ArmEfficiency{{armOf("a", "x"), []float64{1}}}}))
	if p.has("over 1") {
		t.Error("1 is flagged")
	}
}

func TestSizeTimeNamesRatesAndModels(t *testing.T) {
	p := drawn(t)(DrawSizeTime(SizeTime{Loads: []SizedLoad{{armOf("a", "x"), 1e9, 1}, {armOf("b", "x"), 1e10, 9}}, Rooflines: []Roofline{{"", "storage read", 2e9}}}))
	p.want(t, "Loading time by size of 2 models", "a", "b", "x", "storage read, 2.00 GB/s", "1 GB", "10 GB", "1 s", "Size of the checkpoint", "Loading time")
}

// Every roofline is in the panel of the machine that it was measured on.
func TestRooflinesStayWithTheirMachine(t *testing.T) {
	on := func(machine string) record.Arm { return record.Arm{Model: "m", Machine: machine, Format: "x"} }
	p := drawn(t)(DrawSizeTime(SizeTime{
		Loads:     []SizedLoad{{on("one"), 1e9, 1}, {on("two"), 2e9, 1}, {on("three"), 1e9, 3}},
		Rooflines: []Roofline{{"one", "storage read", 2e9}, {"two", "storage read", 8e9}, {"else", "storage read", 1e12}},
	}))
	p.want(t, "on one", "on two", "on three", "storage read", "Rooflines of one: storage read 2.00 GB/s.", "Rooflines of two: storage read 8.00 GB/s.", "No rooflines of three were measured.")
	lines := map[string]box{"one": p.at(t, "storage read of one\n2.00 GB/s"), "two": p.at(t, "storage read of two\n8.00 GB/s")}
	points := map[string]box{"one": p.at(t, "m, x\n1.00 GB in 1.00 s, 1.00 GB/s"), "two": p.at(t, "m, x\n2.00 GB in 1.00 s, 2.00 GB/s"), "three": p.at(t, "m, x\n1.00 GB in 3.00 s, 333 MB/s")}
	for machine, line := range lines {
		for other, point := range points {
			if inside := line.minX <= point.minX && point.minX <= line.maxX; inside != (machine == other) {
				t.Errorf("the roofline of %s is at %v, a load of %s at %v", machine, line, other, point)
			}
		}
	}
	if slices.ContainsFunc(p.hovers, func(s string) bool { return strings.HasPrefix(s, "storage read of else") }) {
		t.Error("a machine without loads has a roofline")
	}
}

func TestTrendExplainsItsFlags(t *testing.T) {
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := TrendSeries{Arm: armOf("a", "x")}
	for i, v := range []float64{4, 2, 2, 4, 2} { // not in order
		s.Points = append(s.Points, TrendPoint{At: day.AddDate(0, 0, []int{0, 3, 4, 1, 5}[i]), TimeS: v})
	}
	s.Points[0].Label = "v1"
	s.Changes = []Change{{day.AddDate(0, 0, 3), "kernel"}}
	p := drawn(t)(DrawTrend(Trend{Series: []TrendSeries{s}}))
	p.want(t, "Loading time of a over time", "1", "v1", "1: 2026-03-04 12:00, kernel: from 4.00 s to 2.00 s", "UTC, 2026-03-01 to 2026-03-06", "03-04")
	if s.Points[1].TimeS != 2 || s.Points[3].TimeS != 4 {
		t.Error("the caller's points were sorted")
	}
}

// Stars mark what may be the best setting, not the one that was lucky.
func TestHeatStarsWhatCannotBeToldApart(t *testing.T) {
	cell := func(depth int, trials ...float64) HeatCell { return HeatCell{Setting{1, depth, 1 << 20}, trials} }
	slow, fast, near := cell(1, 1e9, 1.1e9, 1.2e9, 1.3e9, 1.4e9), cell(2, 2.3e9, 2.4e9, 2.5e9, 2.6e9, 2.7e9), cell(4, 2.2e9, 2.4e9, 2.4e9, 2.5e9, 2.7e9)
	best := "Darker is faster. Best median: 2.50 GB/s with depth 2, 1M."
	for _, c := range []struct {
		cells []HeatCell
		stars int
		note  string
	}{
		{[]HeatCell{slow, fast}, 1, best + " All other settings are slower (Mann-Whitney, p < 0.05 each)."},
		{[]HeatCell{slow, fast, near}, 2, best + " Stars: it and 1 other that cannot be told apart from it (Mann-Whitney, p >= 0.05)."},
		{[]HeatCell{cell(1, 1e9), cell(2, 2.5e9)}, 0, best + " No other setting can be told apart from it: that takes at least 4 trials of each."},
		{[]HeatCell{fast}, 1, best},
	} {
		p, err := DrawHeat(Heat{Cells: c.cells})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.figure.Notes) != 1 || p.figure.Notes[0] != c.note {
			t.Errorf("notes %q, want %q", p.figure.Notes, c.note)
		}
		if n := drawn(t)(p, nil).fills[svgColour(chart.LookOf(5).Ink)]; n != c.stars {
			t.Errorf("%d stars of %d settings, want %d", n, len(c.cells), c.stars)
		}
	}
	p := drawn(t)(DrawHeat(Heat{Cells: []HeatCell{{Setting{1, 1, 1 << 20}, []float64{1e9}}, {Setting{1, 2, 1 << 20}, []float64{2.4e9, 2.5e9, 2.6e9}}, {Setting{2, 1, 1 << 18}, []float64{2e9}}}}))
	p.want(t, "1 thread", "2 threads", "1.00", "2.50", "2.00", "256K", "1M", "Depth")
	if !slices.Contains(p.hovers, "1 thread, depth 2, 1M\n2.50 GB/s\nmedian of 3 trials, 2.40 GB/s to 2.60 GB/s") {
		t.Errorf("hover texts %q", p.hovers)
	}
}

// Numbers that cannot be drawn are an error that says where they are.
func TestUndrawableNumbersAreRefused(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	bars := func(b ...Bar) func() (*Picture, error) {
		return func() (*Picture, error) { return DrawBars(Bars{Bars: b}) }
	}
	for want, draw := range map[string]func() (*Picture, error){
		"bars: nothing to draw":                            bars(),
		"bars: loading time of m, a is not a number (NaN)": bars(Bar{Arm: armOf("m", "a"), MeanS: nan}),
		"bars: loading time of m, b is infinite":           bars(Bar{Arm: armOf("m", "b"), MeanS: inf}),
		"bars: loading time of m, c is negative: -1":       bars(Bar{Arm: armOf("m", "c"), MedianS: ptr(-1)}),
		"bars: loading time of m is not a number (NaN)":    bars(Bar{Arm: armOf("m", ""), Interval: &Interval{0, nan}}),
		"bars: interval of m, d ends before it begins":     bars(Bar{Arm: armOf("m", "d"), Interval: &Interval{2, 1}}),
		"bars: loading time of m, e is 1e+300, out of the": bars(Bar{Arm: armOf("m", "e"), MeanS: 1e300}),
		"bars: m, a appears twice":                         bars(Bar{Arm: armOf("m", "a")}, Bar{Arm: armOf("m", "a")}),
		`bars: no bar of the baseline, z`: func() (*Picture, error) {
			return DrawBars(Bars{Bars: []Bar{{Arm: armOf("m", "a")}}, Baseline: armOf("", "z")})
		},
		"ecdf: m, a has no loads":                    func() (*Picture, error) { return DrawECDF(ECDF{Series: []Series{{armOf("m", "a"), nil}}}) },
		"ecdf: loading time of m, a is not a number": func() (*Picture, error) { return DrawECDF(ECDF{Series: []Series{{armOf("m", "a"), []float64{nan}}}}) },
		"box: nothing to draw":                       func() (*Picture, error) { return DrawBox(Box{}) },
		"stages: stage read of m, a is not a number": func() (*Picture, error) {
			return DrawStages(Stages{Arms: []ArmStages{{Arm: armOf("m", "a"), Stages: []Stage{{"read", 0, nan}}}}})
		},
		"stages: stage read of m, a ends before it begins": func() (*Picture, error) {
			return DrawStages(Stages{Arms: []ArmStages{{Arm: armOf("m", "a"), Stages: []Stage{{"read", 2, 1}}}}})
		},
		"stages: loading time of m, a is not a number": func() (*Picture, error) {
			return DrawStages(Stages{Arms: []ArmStages{{Arm: armOf("m", "a"), LoadingTimeS: &nan}}})
		},
		"efficiency: efficiency of m, a is not a number": func() (*Picture, error) {
			return DrawEfficiency(Efficiency{Arms: []ArmEfficiency{{armOf("m", "a"), []float64{nan}}}})
		},
		"efficiency: m, a has no loads": func() (*Picture, error) {
			return DrawEfficiency(Efficiency{Arms: []ArmEfficiency{{armOf("m", "a"), nil}}})
		},
		"timeline: nothing to draw": func() (*Picture, error) { return DrawTimeline(Timeline{}) },
		"timeline: time of read of chunk 0 is not a number": func() (*Picture, error) {
			return DrawTimeline(Timeline{Chunks: []Chunk{{"t", 1, []Phase{{"read", 0, nan}}}}})
		},
		"timeline: read of chunk 0 ends before it begins": func() (*Picture, error) {
			return DrawTimeline(Timeline{Chunks: []Chunk{{"t", 1, []Phase{{"read", 2, 1}}}}})
		},
		"timeline: chunk 0 has no phase": func() (*Picture, error) { return DrawTimeline(Timeline{Chunks: []Chunk{{}}}) },
		"timeline: samples of CPU: 1 times for 0 values": func() (*Picture, error) {
			return DrawTimeline(Timeline{Chunks: []Chunk{{"t", 1, []Phase{{"read", 0, 1}}}}, Samples: []Samples{{Name: "CPU", Unit: "", TimesS: []float64{1}, Values: nil}}})
		},
		"size and time: loading time of m, a is 0, which a log": func() (*Picture, error) { return DrawSizeTime(SizeTime{Loads: []SizedLoad{{armOf("m", "a"), 1, 0}}}) },
		"size and time: size of m, a is not a number":           func() (*Picture, error) { return DrawSizeTime(SizeTime{Loads: []SizedLoad{{armOf("m", "a"), nan, 1}}}) },
		"size and time: roofline of storage is 0": func() (*Picture, error) {
			return DrawSizeTime(SizeTime{Loads: []SizedLoad{{armOf("m", "a"), 1, 1}}, Rooflines: []Roofline{{"", "storage", 0}}})
		},
		"trend: m, a has no points": func() (*Picture, error) { return DrawTrend(Trend{Series: []TrendSeries{{Arm: armOf("m", "a")}}}) },
		"trend: m, a has a point in the year 1": func() (*Picture, error) {
			return DrawTrend(Trend{Series: []TrendSeries{{Arm: armOf("m", "a"), Points: []TrendPoint{{}}}}})
		},
		"trend: loading time of m, a is not a number": func() (*Picture, error) {
			return DrawTrend(Trend{Series: []TrendSeries{{Arm: armOf("m", "a"), Points: []TrendPoint{{At: time.Unix(1e9, 0), TimeS: nan}}}}})
		},
		"heat map: 1 thread, depth 1, 1K has no trials": func() (*Picture, error) { return DrawHeat(Heat{Cells: []HeatCell{{Setting{1, 1, 1024}, nil}}}) },
		"heat map: rate of 1 thread, depth 1, 1K is not": func() (*Picture, error) {
			return DrawHeat(Heat{Cells: []HeatCell{{Setting{1, 1, 1024}, []float64{nan}}}})
		},
		"heat map: 1 thread, depth 1, 1K appears twice": func() (*Picture, error) {
			return DrawHeat(Heat{Cells: []HeatCell{{Setting{1, 1, 1024}, []float64{1}}, {Setting{1, 1, 1024}, []float64{2}}}})
		},
	} {
		_, err := draw()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
