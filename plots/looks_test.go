package plots

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/warehouse/record"
)

// An arm has the same look whatever else is drawn, in pictures of every kind.
func TestLooksFollowTheArm(t *testing.T) {
	all := []record.Arm{{Format: "x", Engine: "e", Loader: "one"}, {Format: "x", Engine: "e", Loader: "two"}, {Format: "y", Engine: "e", Loader: "one"}}
	looks := LooksOf(all)
	kinds := map[string]func(arms []record.Arm) (*Picture, error){
		"bars": func(arms []record.Arm) (*Picture, error) {
			d := Bars{Looks: looks}
			for _, a := range arms {
				d.Bars = append(d.Bars, Bar{Arm: a, MeanS: 1})
			}
			return DrawBars(d)
		},
		"ecdf": func(arms []record.Arm) (*Picture, error) {
			d := ECDF{Looks: looks}
			for _, a := range arms {
				d.Series = append(d.Series, Series{a, []float64{1}})
			}
			return DrawECDF(d)
		},
		"box": func(arms []record.Arm) (*Picture, error) {
			d := Box{Looks: looks}
			for _, a := range arms {
				d.Series = append(d.Series, Series{a, []float64{1}})
			}
			return DrawBox(d)
		},
		"efficiency": func(arms []record.Arm) (*Picture, error) {
			d := Efficiency{Looks: looks}
			for _, a := range arms {
				d.Arms = append(d.Arms, ArmEfficiency{a, []float64{0.5}})
			}
			return DrawEfficiency(d)
		},
		"size": func(arms []record.Arm) (*Picture, error) {
			d := SizeTime{Looks: looks}
			for i, a := range arms {
				d.Loads = append(d.Loads, SizedLoad{a, 1e9, 1 + float64(i)})
			}
			return DrawSizeTime(d)
		},
		"trend": func(arms []record.Arm) (*Picture, error) {
			d := Trend{Looks: looks}
			for i, a := range arms {
				d.Series = append(d.Series, TrendSeries{Arm: a, Points: []TrendPoint{{At: time.Unix(1e9, 0), TimeS: 1 + float64(i)}}})
			}
			return DrawTrend(d)
		},
	}
	for name, draw := range kinds {
		for _, drawnArms := range [][]int{{0, 1, 2}, {2}, {2, 1}, {1}} {
			var arms []record.Arm
			for _, i := range drawnArms {
				arms = append(arms, all[i])
			}
			p := drawn(t)(draw(arms))
			for i := range all {
				if ink := svgColour(chart.LookOf(i).Ink); (p.fills[ink] > 0) != slices.Contains(drawnArms, i) {
					t.Errorf("%s of arms %v: %d shapes in the colour of arm %d", name, drawnArms, p.fills[ink], i)
				}
			}
		}
	}
}

// Arms in one picture have different looks, even of a warehouse with more techniques
// than there are looks.
func TestArmsInAPictureDoNotShareLooks(t *testing.T) {
	var all []record.Arm
	for i := range 3 * chart.Looks {
		all = append(all, record.Arm{Format: "x", Loader: fmt.Sprint(i)})
	}
	for _, arms := range [][]record.Arm{{all[0], all[chart.Looks]}, {all[2*chart.Looks], all[1], all[0]}, all[30 : 30+chart.Looks]} {
		var seen []string
		for _, look := range LooksOf(all).of(arms) {
			seen = append(seen, fmt.Sprint(look.Ink, look.Hatch))
		}
		slices.Sort(seen)
		if len(slices.Compact(seen)) != len(arms) {
			t.Errorf("%d arms have %d looks", len(arms), len(slices.Compact(seen)))
		}
	}
}

// A stage has the same look in every picture, even one that nobody has heard of.
func TestLooksFollowTheStage(t *testing.T) {
	looks := looksOfStages([]string{"close", "decrypt"})
	again := looksOfStages([]string{"decrypt", "read", "unzip"})
	for _, name := range []string{"read", "copy", "close", "decrypt"} {
		if a, b := fmt.Sprint(looks[name]), fmt.Sprint(again[name]); a != b {
			t.Errorf("%s: %s and %s", name, a, b)
		}
	}
	seen := map[string]string{}
	for name, look := range again {
		key := fmt.Sprint(look.Ink, look.Hatch)
		if other, taken := seen[key]; taken {
			t.Errorf("%s and %s have the same look", name, other)
		}
		seen[key] = name
	}
	timeline := looksOfPhases([]string{"queued", "read", "copy"})
	if fmt.Sprint(timeline["read"], timeline["copy"]) != fmt.Sprint(looks["read"], looks["copy"]) {
		t.Error("timelines and stages draw the same stage differently")
	}
}
