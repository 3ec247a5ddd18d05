package plots

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

// The data in this file are made up.

func ptr(v float64) *float64 { return &v }

// armOf is an arm of which only the model and the format matter.
func armOf(model, format string) record.Arm { return record.Arm{Model: model, Format: format} }

func madeName(m int) string {
	sizes := []string{"0.5b", "1.3b", "7b", "13b", "70b"}
	if m%7 == 6 {
		return fmt.Sprintf("a-laboratory-with-a-long-name/Some-Large-Language-Model-%s-Instruct-2507-FP8-v%d", sizes[m%5], m)
	}
	return fmt.Sprintf("made-up/model-%02d-%s", m, sizes[m%5])
}

var madeArms = []string{"SafeTensors, mmap-parallel", "SLLM, pool"}

func madeTimes(m, arm, n int) []float64 {
	r := rand.New(rand.NewPCG(uint64(m), uint64(arm)))
	times := make([]float64, n)
	for i := range times {
		times[i] = 0.11 * math.Pow(1.35, float64(m)) * []float64{3.1, 1, 2, 1.5}[arm%4] * (1 + 0.08*math.Abs(r.NormFloat64()))
		if i%13 == 12 {
			times[i] *= 1.3
		}
	}
	return times
}

func madeBars(models int) Bars {
	var d Bars
	for m := range models {
		for a, arm := range madeArms {
			t := madeTimes(m, a, 30)
			slices.Sort(t)
			low, high, sum := t[0], t[len(t)-1], 0.0
			for _, v := range t {
				sum += v
			}
			d.Bars = append(d.Bars, Bar{Arm: armOf(madeName(m), arm), MeanS: sum / float64(len(t)), MedianS: ptr(stats.Median(t)), Interval: &Interval{low, high}, Loads: 30})
		}
	}
	d.Subtitle = "random, to host, from storage; whiskers: fastest and slowest load"
	return d
}

func madeSeries(models int) []Series {
	var all []Series
	for m := range models {
		for a, arm := range madeArms {
			all = append(all, Series{armOf(madeName(m), arm), madeTimes(m, a, 30)})
		}
	}
	return all
}

func madeStages(models int) Stages {
	var d Stages
	for m := range models {
		for a, arm := range madeArms {
			t := madeTimes(m, a, 1)[0]
			row := ArmStages{Arm: armOf(madeName(m), arm), LoadingTimeS: ptr(t)}
			for i, s := range []string{"open", "index", "allocate", "read", "copy"} {
				span := [][2]float64{{0, 0.02}, {0.02, 0.06}, {0.06, 0.16}, {0.16, 0.86}, {0.86, 1}}[i]
				if a == 1 && i >= 3 { // one copies while it reads
					span = [][2]float64{{0.12, 0.95}, {0.2, 1}}[i-3]
				}
				row.Stages = append(row.Stages, Stage{s, t * span[0], t * span[1]})
			}
			d.Arms = append(d.Arms, row)
		}
	}
	return d
}

func madeEfficiency(models int) Efficiency {
	var d Efficiency
	for m := range models {
		for a, arm := range madeArms {
			r := rand.New(rand.NewPCG(uint64(m), uint64(a)))
			e := ArmEfficiency{Arm: armOf(madeName(m), arm)}
			for range 12 {
				e.Efficiencies = append(e.Efficiencies, []float64{0.3, 0.9}[a]+0.05*r.NormFloat64())
			}
			d.Arms = append(d.Arms, e)
		}
	}
	return d
}

func madeTimeline(threads int) Timeline {
	d := Timeline{Arm: armOf(madeName(1), madeArms[1])}
	r := rand.New(rand.NewPCG(1, 1))
	for t := range threads {
		at := 0.002 * float64(t%5)
		for range 12 {
			read, cp := 0.018+0.006*r.Float64(), 0.006+0.002*r.Float64()
			d.Chunks = append(d.Chunks, Chunk{fmt.Sprintf("reader %d", t), 16 << 20, []Phase{{"queued", math.Max(0, at-0.02), at}, {"read", at, at + read}, {"copy", at + read, at + read + cp}}})
			at += read
			d.LoadingTimeS = math.Max(d.LoadingTimeS, at+cp)
		}
	}
	for i := range 2 {
		s := Samples{Name: []string{"Storage read rate", "CPU"}[i], Unit: []string{"GB/s", "cores"}[i]}
		for k := range 30 {
			s.TimesS = append(s.TimesS, d.LoadingTimeS*float64(k)/29)
			s.Values = append(s.Values, []float64{7, 2}[i]*(0.8+0.2*r.Float64()))
		}
		d.Samples = append(d.Samples, s)
	}
	return d
}

func madeSizeTime(models int) SizeTime {
	d := SizeTime{Rooflines: []Roofline{{"", "storage read", 7.2e9}, {"", "memory copy", 14e9}}}
	for m := range models {
		bytes := 250e6 * math.Pow(1.36, float64(m))
		for a, arm := range madeArms {
			d.Loads = append(d.Loads, SizedLoad{armOf(madeName(m), arm), bytes, bytes / []float64{2.1e9, 6.6e9}[a] * (1 + 0.1*float64(m%3))})
		}
	}
	return d
}

func madeTrend(models int) Trend {
	var d Trend
	start := time.Date(2026, 2, 10, 6, 0, 0, 0, time.UTC)
	for m := range models {
		for a, arm := range madeArms {
			s := TrendSeries{Arm: armOf(madeName(m), arm)}
			for i, t := range madeTimes(m, a, 40) {
				if i > 22 && a == 1 {
					t *= 0.8
				}
				p := TrendPoint{At: start.Add(time.Duration(i) * 26 * time.Hour), TimeS: t, Interval: &Interval{t * 0.97, t * 1.03}}
				if i == 23 && a == 1 {
					p.Label = "kernel 6.18"
				}
				s.Points = append(s.Points, p)
			}
			if a == 1 {
				s.Changes = []Change{{start.Add(23 * 26 * time.Hour), "faster"}}
			}
			d.Series = append(d.Series, s)
		}
	}
	return d
}

func madeHeat(threads, depths, sizes int) Heat {
	var d Heat
	for t := range threads {
		for k := range depths {
			for s := range sizes {
				if t == 1 && k == 0 && s == 0 {
					continue // one setting was not measured
				}
				rate := 7.4e9 * (1 - math.Exp(-float64((t+1)*(k+1)*(s+1))/6))
				d.Cells = append(d.Cells, HeatCell{Setting{1 << t, 1 << k, 128 << 10 << s}, []float64{rate, rate * 0.98, rate * 0.99, rate * 1.01, rate * 1.02}})
			}
		}
	}
	return d
}

// madePictures are pictures of every kind with few and many models, and extreme
// ones.
func madePictures() map[string]func() (*Picture, error) {
	long := strings.Repeat("a-very-long-name/", 9) + "end"
	all := map[string]func() (*Picture, error){}
	for _, n := range []int{1, 3, 20} {
		all[fmt.Sprintf("bars-%d", n)] = func() (*Picture, error) { return DrawBars(madeBars(n)) }
		all[fmt.Sprintf("ecdf-%d", n)] = func() (*Picture, error) { return DrawECDF(ECDF{Series: madeSeries(n)}) }
		all[fmt.Sprintf("box-%d", n)] = func() (*Picture, error) { return DrawBox(Box{Series: madeSeries(n), Seed: 1}) }
		all[fmt.Sprintf("stages-%d", n)] = func() (*Picture, error) { return DrawStages(madeStages(n)) }
		all[fmt.Sprintf("efficiency-%d", n)] = func() (*Picture, error) { return DrawEfficiency(madeEfficiency(n)) }
		all[fmt.Sprintf("timeline-%d", n)] = func() (*Picture, error) { return DrawTimeline(madeTimeline(n)) }
		all[fmt.Sprintf("sizetime-%d", n)] = func() (*Picture, error) { return DrawSizeTime(madeSizeTime(n)) }
		all[fmt.Sprintf("trend-%d", n)] = func() (*Picture, error) { return DrawTrend(madeTrend(n)) }
		all[fmt.Sprintf("heat-%d", n)] = func() (*Picture, error) { return DrawHeat(madeHeat(min(n, 5), min(2*n, 6), min(3*n, 12))) }
	}

	all["bars-extremes"] = func() (*Picture, error) {
		return DrawBars(Bars{Bars: []Bar{
			{Arm: armOf(long, "A"), MeanS: 0}, {Arm: armOf(long, "B"), MeanS: 4000},
			{Arm: armOf(long+"2", "A"), MeanS: 3}, {Arm: armOf(long+"2", "B"), MeanS: 3},
			{Arm: armOf("only A <&>\n\x00", "A"), MeanS: 100, Interval: &Interval{0, 4400}},
			{Arm: armOf("slower", "A"), MeanS: 1000}, {Arm: armOf("slower", "B"), MeanS: 3000}, {Arm: armOf("slower", "C"), MeanS: 500},
			{Arm: armOf("模型", "B"), MeanS: 1e-9},
		}})
	}
	all["bars-zero"] = func() (*Picture, error) { return DrawBars(Bars{Bars: []Bar{{Arm: armOf("m", "a")}}}) }
	all["bars-many-arms"] = func() (*Picture, error) {
		var d Bars
		for i := range 18 {
			d.Bars = append(d.Bars, Bar{Arm: armOf("m", fmt.Sprintf("arm %d", i)), MeanS: 1 + float64(i)}, Bar{Arm: armOf("n", fmt.Sprintf("arm %d", i)), MeanS: 2 + float64(i)})
		}
		return DrawBars(d)
	}
	all["ecdf-extremes"] = func() (*Picture, error) {
		return DrawECDF(ECDF{Series: []Series{{armOf("one point", "A"), []float64{0}}, {armOf(long, "A"), []float64{1e-7, 5000}}, {armOf(long, "B"), []float64{3, 3, 3}}, {armOf("no B", "A"), []float64{0.5, 0.50001}}}})
	}
	all["box-extremes"] = func() (*Picture, error) {
		return DrawBox(Box{Series: []Series{{armOf("one point", "A"), []float64{0}}, {armOf(long, "A"), madeTimes(1, 1, 1500)}, {armOf(long, "B"), []float64{3, 3, 3, 3, 3, 3}}, {armOf("no B", "A"), []float64{0.5, 9}}}})
	}
	all["box-zero"] = func() (*Picture, error) { return DrawBox(Box{Series: []Series{{armOf("m", "a"), []float64{0}}}}) }
	all["stages-extremes"] = func() (*Picture, error) {
		return DrawStages(Stages{Arms: []ArmStages{
			{Arm: armOf(long, long), LoadingTimeS: ptr(2), Stages: []Stage{{"read", 0, 1e-7}, {"copy", 0, 5}, {"own", 1, 4}, {"close", 2, 3}}},
			{Arm: armOf(long, long+"2"), Stages: []Stage{{"read", 0, 0}}},
			{Arm: armOf("m", "none")},
		}})
	}
	all["efficiency-extremes"] = func() (*Picture, error) {
		return DrawEfficiency(Efficiency{Arms: []ArmEfficiency{{armOf(long, "A"), []float64{0}}, {armOf(long, "B"), []float64{0.2, 7}}, {armOf("m", "A"), []float64{1, 1.0001}}}})
	}
	all["timeline-extremes"] = func() (*Picture, error) {
		return DrawTimeline(Timeline{Arm: armOf(long, long), Chunks: []Chunk{{"t", 1, []Phase{{"read", 0, 0}}}}, Samples: []Samples{{Name: "one", TimesS: []float64{0}, Values: []float64{0}}}})
	}
	all["timeline-busy"] = func() (*Picture, error) {
		d := Timeline{Arm: armOf(madeName(2), ""), LoadingTimeS: 1.02}
		for i := range 4000 {
			at := float64(i/16) / 250
			d.Chunks = append(d.Chunks, Chunk{fmt.Sprintf("thread %d", i%2), 1 << 20, []Phase{{"queued", at, at + 0.001}, {"read", at + 0.001, at + 0.003}, {"verify", at + 0.003, at + 0.004}}})
		}
		return DrawTimeline(d)
	}
	all["sizetime-extremes"] = func() (*Picture, error) {
		return DrawSizeTime(SizeTime{Loads: []SizedLoad{{armOf("a", "A"), 1, 1e-9}, {armOf(long, "A"), 3e12, 7200}, {armOf("b", "B"), 3e12, 7200}}, Rooflines: []Roofline{{"", "storage read", 3e9}}})
	}
	all["sizetime-machines"] = func() (*Picture, error) {
		d := SizeTime{}
		for m, machine := range []string{"node-1", "node-2", "a-machine-with-a-long-name.rack-7.example"} {
			for kind, rate := range map[string]float64{"storage read": 3e9, "memory copy": 14e9} {
				if m != 1 {
					d.Rooflines = append(d.Rooflines, Roofline{machine, kind, rate * float64(m+1)})
				}
			}
			for _, l := range madeSizeTime(4).Loads {
				for i, benchmark := range []string{"random", "cached"} {
					l.Machine, l.BenchmarkType, l.TimeS = machine, benchmark, l.TimeS/float64(1+m+5*i)
					d.Loads = append(d.Loads, l)
				}
			}
		}
		slices.SortFunc(d.Rooflines, func(a, b Roofline) int { return strings.Compare(a.Machine+a.Name, b.Machine+b.Name) })
		return DrawSizeTime(d)
	}
	all["sizetime-point"] = func() (*Picture, error) {
		return DrawSizeTime(SizeTime{Loads: []SizedLoad{{armOf("a", "A"), 1e9, 1}}})
	}
	all["trend-extremes"] = func() (*Picture, error) {
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		near := TrendSeries{Arm: armOf(long, "A")}
		for i := range 12 {
			near.Points = append(near.Points, TrendPoint{At: at.AddDate(0, i*3, 0), TimeS: 3, Label: "v1." + strconv.Itoa(i)})
			near.Changes = append(near.Changes, Change{At: at.AddDate(0, 6, i)})
		}
		return DrawTrend(Trend{Series: []TrendSeries{near, {Arm: armOf("one point", "B"), Points: []TrendPoint{{At: at, TimeS: 0}}}}})
	}
	all["trend-point"] = func() (*Picture, error) {
		return DrawTrend(Trend{Series: []TrendSeries{{Arm: armOf("one", "A"), Points: []TrendPoint{{At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), TimeS: 0.004}}}}})
	}
	all["heat-extremes"] = func() (*Picture, error) {
		return DrawHeat(Heat{Cells: []HeatCell{{Setting{1, 1, 4096}, []float64{0}}, {Setting{64, 1024, 64 << 20}, []float64{2e9}}, {Setting{64, 1, 4097}, []float64{1e5}}}})
	}
	all["heat-cell"] = func() (*Picture, error) {
		return DrawHeat(Heat{Cells: []HeatCell{{Setting{4, 8, 1 << 20}, []float64{0}}}})
	}
	return all
}
