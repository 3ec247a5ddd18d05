package bench_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
)

// contender is one way to load bytes.
type contender struct {
	name  string
	bytes int64
	warm  bool         // finds the bytes in memory: do not drop the page cache
	cache bool         // reads through the page cache: touch free memory before a cold load
	ready func() error // prepares a run, untimed; nil: nothing to prepare
	run   func() (time.Duration, error)
}

// result is a contender's times, in ascending order.
type result struct {
	contender
	took []time.Duration
}

func (r result) median() time.Duration { return median(r.took) }

func median(sorted []time.Duration) time.Duration {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// speed returns bytes per second, by the median.
func (r result) speed() float64 { return float64(r.bytes) / r.median().Seconds() }

// race runs the contenders in turns, in a different order each round, and returns
// their times. A first round is not counted.
func race(t *testing.T, rounds int, files []string, contenders []contender) []result {
	t.Helper()
	order := rand.New(rand.NewPCG(1, 2))
	results := make([]result, len(contenders))
	for round := range rounds + 1 {
		for _, i := range order.Perm(len(contenders)) {
			c := contenders[i]
			if c.ready != nil {
				if err := c.ready(); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
			}
			if c.cache && !c.warm {
				if _, err := machine.TouchFree(t.Context(), c.bytes+c.bytes/8); err != nil {
					t.Fatal(err)
				}
			}
			if !c.warm {
				if err := machine.Drop(files); err != nil {
					t.Fatal(err)
				}
			}
			d, err := c.run()
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			results[i].contender = c
			if round > 0 {
				results[i].took = append(results[i].took, d)
			}
		}
	}
	for _, r := range results {
		slices.Sort(r.took)
	}
	return results
}

// printResults prints one line per contender.
func printResults(what string, results []result) {
	fmt.Printf("\n%s, medians of %d in turns\n", what, len(results[0].took))
	fmt.Printf("  %-52s %8s %8s %8s %6s\n", "", "median s", "min", "max", "GB/s")
	for _, r := range results {
		fmt.Printf("  %-52s %8.3f %8.3f %8.3f %6.2f\n", r.name, r.median().Seconds(), r.took[0].Seconds(), r.took[len(r.took)-1].Seconds(), r.speed()/1e9)
	}
}

// named returns the result of the contender with that name, if there is one.
func named(results []result, name string) (result, bool) {
	i := slices.IndexFunc(results, func(r result) bool { return r.name == name })
	if i < 0 {
		return result{}, false
	}
	return results[i], true
}

// fastest returns the fastest contender whose name has the prefix, if there is one.
func fastest(results []result, prefix string) (best result, ok bool) {
	for _, r := range results {
		if strings.HasPrefix(r.name, prefix) && (!ok || r.speed() > best.speed()) {
			best, ok = r, true
		}
	}
	return best, ok
}
