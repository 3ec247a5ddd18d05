package plots

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// Pictures of numbers from the smallest to the largest that can be drawn, alone and
// beside others, do not fail, and no text covers another.
func TestEveryMagnitude(t *testing.T) {
	for e := -30; e <= 30; e += 6 {
		v := math.Pow(10, float64(e))
		if e == -30 {
			v = 1.1e-30
		}
		for _, other := range []float64{0, v, v * 0.9999999, 1, 123456, 1e-30, 1e30} {
			if e == 30 {
				v = 0.9e30
			}
			at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			series := []Series{{armOf("m", "a"), []float64{v, other, v}}, {armOf("n", "a"), []float64{v}}, {armOf("n", "b"), []float64{other, other, other, v, v, other}}}
			for name, draw := range map[string]func() (*Picture, error){
				"bars": func() (*Picture, error) {
					return DrawBars(Bars{Bars: []Bar{{Arm: armOf("m", "a"), MeanS: v, MedianS: ptr(other)}, {Arm: armOf("m", "b"), MeanS: other}}})
				},
				"ecdf": func() (*Picture, error) { return DrawECDF(ECDF{Series: series}) },
				"box":  func() (*Picture, error) { return DrawBox(Box{Series: series}) },
				"stages": func() (*Picture, error) {
					return DrawStages(Stages{Arms: []ArmStages{{Arm: armOf("m", "a"), LoadingTimeS: ptr(other), Stages: []Stage{{"read", 0, v}, {"copy", min(v, other), max(v, other)}}}}})
				},
				"efficiency": func() (*Picture, error) {
					return DrawEfficiency(Efficiency{Arms: []ArmEfficiency{{armOf("m", "a"), []float64{v, other}}}})
				},
				"timeline": func() (*Picture, error) {
					return DrawTimeline(Timeline{Arm: armOf("m", ""), LoadingTimeS: other, Chunks: []Chunk{{"t", 1, []Phase{{"read", 0, v}}}}, Samples: []Samples{{Name: "CPU", Unit: "", TimesS: []float64{v}, Values: []float64{other}}}})
				},
				"sizetime": func() (*Picture, error) {
					return DrawSizeTime(SizeTime{Loads: []SizedLoad{{armOf("m", "a"), v, math.Max(other, 1e-30)}, {armOf("n", "a"), math.Max(other, 1e-30), v}}, Rooflines: []Roofline{{"", "r", v}}})
				},
				"trend": func() (*Picture, error) {
					return DrawTrend(Trend{Series: []TrendSeries{{Arm: armOf("m", "a"), Points: []TrendPoint{{At: at, TimeS: v}, {At: at.AddDate(0, 0, 1), TimeS: other, Label: "x"}}, Changes: []Change{{At: at}}}}})
				},
				"heat": func() (*Picture, error) {
					return DrawHeat(Heat{Cells: []HeatCell{{Setting{1, 1, 1}, []float64{v}}, {Setting{1, 1, 1 << 62}, []float64{other}}, {Setting{1 << 40, 1 << 40, 1}, []float64{0}}}})
				},
			} {
				p, err := draw()
				if err != nil {
					t.Errorf("%s of %g and %g: %v", name, v, other, err)
					continue
				}
				page := parseSVG(t, encode(t, p, "svg", DefaultOptions()))
				for i, a := range page.texts {
					if a.box.minX < -0.5 || a.box.maxX > page.width+0.5 {
						t.Errorf("%s of %g and %g: %q is cut off", name, v, other, a.text)
					}
					for _, b := range page.texts[:i] {
						if a.box.meets(b.box) {
							t.Errorf("%s of %g and %g: %q covers %q", name, v, other, a.text, b.text)
						}
					}
				}
				if t.Failed() {
					t.Fatal(fmt.Sprint("stopped at the first: ", name))
				}
			}
		}
	}
}
