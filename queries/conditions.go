package queries

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

// machineColumns are among the facts that machine_id is a digest of.
var machineColumns = []string{"machine", "kernel", "gpu_driver", "gpu_model", "filesystem", "storage_device", "huge_pages", "cpu_governor"}

// loaderColumns depend on the loader: two loaders need not agree in them.
var loaderColumns = []string{"format", "loader", "direct_io", "mem_pool_size_bytes", "pool_locked", "num_thread", "chunk_size_bytes", "io_depth", "io_size_bytes"}

// implied returns the columns that may differ where another one does.
func implied(by string) []string {
	switch by {
	case "format", "loader":
		return loaderColumns
	case "engine": // its loaders are its own, of the same formats
		return append([]string{"engine"}, loaderColumns[1:]...)
	case "machine", "machine_id":
		return append([]string{"machine_id"}, machineColumns...)
	case "model":
		return []string{"model", "model_revision"}
	case "kernel", "gpu_driver", "gpu_model", "filesystem", "storage_device", "huge_pages", "cpu_governor":
		return []string{by, "machine_id"}
	}
	return []string{by}
}

const (
	// noisyShare is the share of loading time that the hypervisor or the control
	// group may take before there is a warning.
	noisyShare = 0.02
	// otherShare is the share of an arm's loads that may have been measured under
	// other conditions before there is a warning.
	otherShare = 0.1
	// modesP is the p of the dip test below which there is a warning, and modesN
	// the least number of units for the test.
	modesP = 0.001
	modesN = 20
)

// warnings returns reasons to doubt the ratio.
func (c Contrast) warnings(before, after side) (list []string) {
	warned := map[string]bool{}
	for _, w := range watched {
		column, a, b := w.Name, shares(before.under, w), shares(after.under, w)
		switch {
		case slices.Contains(implied(c.By), column):
			// Formats have loaders of their own, but a format with several is a mixture.
			if column == "loader" && c.By == "format" {
				for arm, mixed := range map[string]map[string]float64{before.arm: a, after.arm: b} {
					if len(mixed) > 1 {
						list = append(list, fmt.Sprintf("%s mixes loaders: %s", arm, describe(mixed)))
					}
				}
				slices.Sort(list)
			}
		case column == "machine_id" && slices.ContainsFunc(machineColumns, func(fact string) bool { return warned[fact] }):
		case distance(a, b) > 0 && (!sameKeys(a, b) || distance(a, b) > otherShare):
			warned[column] = true
			list = append(list, fmt.Sprintf("%s differs: %s against %s", column, describe(b), describe(a)))
		}
	}
	for _, side := range []side{before, after} {
		failed, loads, total, taken := 0, 0, 0.0, 0.0
		for _, s := range side.sessions {
			failed += s.Failed
			loads += s.Failed + len(s.Seconds)
			taken += s.TakenS
			for _, t := range s.Seconds {
				total += t
			}
		}
		if failed > 0 {
			list = append(list, fmt.Sprintf("%d of %d %s loads failed", failed, loads, side.arm))
		}
		if total > 0 && taken > noisyShare*total {
			list = append(list, fmt.Sprintf("noisy machine: others used %.0f %% of the CPU time during %s loads", 100*taken/total, side.arm))
		}
		if units := stats.Units(side.times()); len(units) >= modesN {
			if dip, err := stats.DipTest(units); err == nil && dip.P < modesP {
				list = append(list, fmt.Sprintf("%s has more than one mode (dip test): few loads may be near its median", side.arm))
			}
		}
	}
	return list
}

// shares is the share of an arm's loads that were measured under each value of
// a condition.
func shares(list []measuredUnder, condition record.Column) map[string]float64 {
	counts, total := map[string]int{}, 0
	for i := range list {
		counts[reflect.ValueOf(&list[i].conditions).Elem().FieldByIndex(condition.Index).String()] += list[i].Loads
		total += list[i].Loads
	}
	parts := map[string]float64{}
	for value, n := range counts {
		parts[value] = float64(n) / float64(total)
	}
	return parts
}

// distance is the share of the loads that would need another value to make both
// arms alike.
func distance(a, b map[string]float64) float64 {
	sum := 0.0
	for value := range a {
		sum += math.Abs(a[value] - b[value])
	}
	for value := range b {
		if _, ok := a[value]; !ok {
			sum += b[value]
		}
	}
	return sum / 2
}

func sameKeys(a, b map[string]float64) bool {
	return maps.EqualFunc(a, b, func(float64, float64) bool { return true })
}

// describe lists values, the most frequent first, with their shares if there
// are several.
func describe(parts map[string]float64) string {
	values := slices.SortedFunc(maps.Keys(parts), func(a, b string) int {
		return cmp.Or(cmp.Compare(parts[b], parts[a]), cmp.Compare(a, b))
	})
	const shown = 4
	var words []string
	for i, value := range values {
		name := cmp.Or(value, "none")
		switch {
		case len(values) == 1:
			return name
		case i == shown:
			return strings.Join(words, ", ") + fmt.Sprintf(" and %d more", len(values)-shown)
		case parts[value] < 0.01:
			words = append(words, name+" <1 %")
		case parts[value] > 0.99:
			words = append(words, name+" >99 %")
		default:
			words = append(words, fmt.Sprintf("%s %.0f %%", name, 100*parts[value]))
		}
	}
	return strings.Join(words, ", ")
}
