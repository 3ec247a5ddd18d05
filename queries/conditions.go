package queries

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/queries/stats"
)

// sharedColumns are what arms have to have in common to be compared.
var sharedColumns = []string{"machine", "model", "benchmark_type", "device", "engine", "format", "loader"}

// watchedColumns are conditions that should be the same in both arms, or the
// comparison is of more than was asked. machine_id is the last: it is a digest
// of the machine's facts, some of which stand before it.
var watchedColumns = []string{"machine", "model", "model_revision", "benchmark_type", "device", "engine", "format", "loader", "source_tier", "direct_io", "dtype", "page_cache",
	"mem_pool_size_bytes", "pool_locked", "num_thread", "chunk_size_bytes", "io_depth", "io_size_bytes",
	"kernel", "gpu_driver", "gpu_model", "filesystem", "storage_device", "huge_pages", "cpu_governor", "sllmq_version", "machine_id"}

// machineColumns are facts that machine_id is a digest of.
var machineColumns = []string{"machine", "kernel", "gpu_driver", "gpu_model", "filesystem", "storage_device", "huge_pages", "cpu_governor"}

// loaderColumns are what a loader decides: two loaders need not agree on them.
var loaderColumns = []string{"format", "loader", "direct_io", "mem_pool_size_bytes", "pool_locked", "num_thread", "chunk_size_bytes", "io_depth", "io_size_bytes"}

// implied are columns that can't be the same where another one differs.
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

// shared are the columns that arms of c have in common.
func (c Contrast) shared() []string {
	if c.Across {
		return nil
	}
	gone := implied(c.By)
	return slices.DeleteFunc(slices.Clone(sharedColumns), func(column string) bool { return slices.Contains(gone, column) })
}

const (
	// noisyShare is the part of loading time that the hypervisor or the control
	// group may take before a machine is called noisy.
	noisyShare = 0.02
	// otherShare is the part of an arm's loads that may have been made under
	// another condition than the other arm's before that is worth a word.
	otherShare = 0.1
	// modesP is the least p of the dip test that is put down to chance, and
	// modesN the least units that it is asked of.
	modesP = 0.001
	modesN = 20
)

// warnings are what should be known before the ratio is believed.
func (c Contrast) warnings(before, after []armSession) (list []string) {
	told := map[string]bool{}
	for i, column := range watchedColumns {
		a, b := shares(before, i), shares(after, i)
		switch {
		case slices.Contains(implied(c.By), column):
			// Another format is another loader; but one format of several is a mixture.
			if column == "loader" && c.By == "format" {
				for arm, mixed := range map[string]map[string]float64{before[0].arm: a, after[0].arm: b} {
					if len(mixed) > 1 {
						list = append(list, fmt.Sprintf("%s is a mixture of loaders: %s", arm, describe(mixed)))
					}
				}
				slices.Sort(list)
			}
		case column == "machine_id" && slices.ContainsFunc(machineColumns, func(fact string) bool { return told[fact] }):
		case distance(a, b) > 0 && (!sameKeys(a, b) || distance(a, b) > otherShare):
			told[column] = true
			list = append(list, fmt.Sprintf("%s differs: %s against %s", column, describe(b), describe(a)))
		}
	}
	for _, side := range [][]armSession{before, after} {
		failed, loads, total, taken := 0, 0, 0.0, 0.0
		for _, s := range side {
			failed += s.failed
			loads += s.failed + len(s.seconds)
			taken += s.takenS
			for _, t := range s.seconds {
				total += t
			}
		}
		if failed > 0 {
			list = append(list, fmt.Sprintf("%d of %d loads of %s failed", failed, loads, side[0].arm))
		}
		if total > 0 && taken > noisyShare*total {
			list = append(list, fmt.Sprintf("a noisy machine: others took %.0f %% of the CPU time while %s was loaded", 100*taken/total, side[0].arm))
		}
		if units := stats.Units(times(side)); len(units) >= modesN {
			if dip, err := stats.DipTest(units); err == nil && dip.P < modesP {
				list = append(list, fmt.Sprintf("%s has more than one mode (dip test): its median may lie where few loads do", side[0].arm))
			}
		}
	}
	return list
}

// shares is which part of an arm's loads was made under each value of the
// i-th condition.
func shares(sessions []armSession, i int) map[string]float64 {
	counts, total := map[string]int{}, 0
	for _, s := range sessions {
		for _, p := range s.conditions {
			if p.loads > 0 {
				counts[p.values[i]] += p.loads
				total += p.loads
			}
		}
	}
	parts := map[string]float64{}
	for value, n := range counts {
		parts[value] = float64(n) / float64(total)
	}
	return parts
}

// distance is the part of the loads that would have to be made under another
// value for both arms to be alike.
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
