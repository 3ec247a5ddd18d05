package bench_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/machine"
)

// contender brings bytes in one way.
type contender struct {
	name  string
	bytes int64
	warm  bool         // finds the bytes in memory: nothing is dropped before it
	cache bool         // cold, reads through the page cache: memory is touched for that
	ready func() error // before a load, of who is not always ready; nil: nothing to do
	run   func() (time.Duration, error)
}

// result is what a contender took, sorted.
type result struct {
	contender
	took []time.Duration
}

func (r result) median() time.Duration { return median(r.took) }

func median(sorted []time.Duration) time.Duration {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// speed is in bytes per second, by the median.
func (r result) speed() float64 { return float64(r.bytes) / r.median().Seconds() }

// race lets all take turns, in another order each round, and returns what they
// took. A round that is not counted comes first.
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
				if _, err := collector.TouchFreeMemory(t.Context(), c.bytes+c.bytes/8); err != nil {
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

// print prints a line for each contender.
func print(what string, results []result) {
	fmt.Printf("\n%s, medians of %d taking turns\n", what, len(results[0].took))
	fmt.Printf("  %-52s %8s %8s %8s %6s\n", "", "median s", "min", "max", "GB/s")
	for _, r := range results {
		fmt.Printf("  %-52s %8.3f %8.3f %8.3f %6.2f\n", r.name, r.median().Seconds(), r.took[0].Seconds(), r.took[len(r.took)-1].Seconds(), r.speed()/1e9)
	}
}

// named finds a contender; it is false where there was none of that name.
func named(results []result, name string) (result, bool) {
	i := slices.IndexFunc(results, func(r result) bool { return r.name == name })
	if i < 0 {
		return result{}, false
	}
	return results[i], true
}

// fastest is the fastest of those whose names begin so.
func fastest(results []result, prefix string) (best result, ok bool) {
	for _, r := range results {
		if strings.HasPrefix(r.name, prefix) && (!ok || r.speed() > best.speed()) {
			best, ok = r, true
		}
	}
	return best, ok
}
