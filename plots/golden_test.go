package plots

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// One picture of every kind, drawn from a little made-up data, is the same as in
// testdata. UPDATE_GOLDEN=1 rewrites the files: look at each before you commit it.
func TestGoldenPictures(t *testing.T) {
	made := madePictures()
	for _, name := range []string{"bars-3", "ecdf-1", "box-1", "stages-3", "timeline-1", "efficiency-1", "sizetime-3", "trend-1", "heat-1"} {
		t.Run(name, func(t *testing.T) {
			p, err := made[name]()
			if err != nil {
				t.Fatal(err)
			}
			got := encode(t, p, "svg", Options{WidthIn: 5})
			file := filepath.Join("testdata", name+".svg")
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				where := filepath.Join(os.TempDir(), name+".svg")
				t.Errorf("differs from %s: see %s (%v)", file, where, os.WriteFile(where, got, 0o644))
			}
		})
	}
}

// Hover texts contain the values, in readable units.
func TestHoverTexts(t *testing.T) {
	five := []Series{{armOf("m", "a"), []float64{1, 2, 3, 4, 5}}}
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		want string
		draw func() (*Picture, error)
	}{
		{"m, a\nmean 2.00 s, median 1.50 s\nfrom 1.00 s to 3.00 s\n4 loads", func() (*Picture, error) {
			return DrawBars(Bars{Bars: []Bar{{Arm: armOf("m", "a"), MeanS: 2, MedianS: ptr(1.5), Interval: &Interval{1, 3}, Loads: 4}}})
		}},
		{"m, a\n40.0 % of loads in at most 2.00 s", func() (*Picture, error) { return DrawECDF(ECDF{Series: five}) }},
		{"m, a\nmedian 3.00 s of 5 loads", func() (*Picture, error) { return DrawECDF(ECDF{Series: five}) }},
		{"m, a\nmedian 3.00 s, quartiles 2.00 s and 4.00 s\nwhiskers 1.00 s and 5.00 s, 5 loads", func() (*Picture, error) { return DrawBox(Box{Series: five}) }},
		{"m, a\n4.00 s", func() (*Picture, error) { return DrawBox(Box{Series: five}) }},
		{"m, a\nread from 100 ms to 800 ms, 700 ms", func() (*Picture, error) {
			return DrawStages(Stages{Arms: []ArmStages{{Arm: armOf("m", "a"), Stages: []Stage{{"open", 0, 0.1}, {"read", 0.1, 0.8}}}}})
		}},
		{"read 2.00 MB, t\nfrom 1.00 ms to 2.00 ms, 2.00 GB/s", func() (*Picture, error) {
			return DrawTimeline(Timeline{Chunks: []Chunk{{"t", 2e6, []Phase{{"read", 0.001, 0.002}}}}})
		}},
		{"m, a\n0.500 of the roofline", func() (*Picture, error) {
			return DrawEfficiency(Efficiency{Arms: []ArmEfficiency{{armOf("m", "a"), []float64{0.5}}}})
		}},
		{"m, a\n2.00 GB in 500 ms, 4.00 GB/s", func() (*Picture, error) {
			return DrawSizeTime(SizeTime{Loads: []SizedLoad{{armOf("m", "a"), 2e9, 0.5}}})
		}},
		{"m, a\n2026-03-01 12:00 UTC\n3.00 s", func() (*Picture, error) {
			return DrawTrend(Trend{Series: []TrendSeries{{Arm: armOf("m", "a"), Points: []TrendPoint{{At: day, TimeS: 3}}}}})
		}},
		{"depth 2, 512K\n4.00 GB/s", func() (*Picture, error) {
			return DrawHeat(Heat{Cells: []HeatCell{{Setting{1, 2, 512 << 10}, []float64{4e9}}}})
		}},
		{"<b>, a & b\n4.00 s", func() (*Picture, error) { return DrawBox(Box{Series: []Series{{armOf("<b>", "a & b"), []float64{4}}}}) }},
	} {
		p := drawn(t)(c.draw())
		if !slices.Contains(p.hovers, c.want) {
			t.Errorf("no hover text %q in %q", c.want, p.hovers)
		}
	}
}

// Marks that would cover each other are drawn once.
func TestCrowdsAreThinnedOut(t *testing.T) {
	s := Series{Arm: armOf("m", "a")}
	for i := range 100_000 {
		s.TimesS = append(s.TimesS, 1+float64(i%5000)/5000)
	}
	for name, draw := range map[string]func() (*Picture, error){
		"box":  func() (*Picture, error) { return DrawBox(Box{Series: []Series{s}}) },
		"ecdf": func() (*Picture, error) { return DrawECDF(ECDF{Series: []Series{s}}) },
	} {
		p, err := draw()
		if err != nil {
			t.Fatal(err)
		}
		if n := len(encode(t, p, "svg", DefaultOptions())); n > 4<<20 {
			t.Errorf("%s of 100,000 loads takes %d bytes", name, n)
		}
		if len(p.Rows()) != 100_001 {
			t.Errorf("%s: %d rows of data", name, len(p.Rows()))
		}
	}
}
