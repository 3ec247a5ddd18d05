// Package bench_test measures the program's parts side by side with what they are
// compared with, and writes the ratios to a table. scripts/bench/bench.sh sets the
// environment variables that select the benchmarks; without them every test is
// skipped.
package bench_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// table appends lines to a file that the script prints at the end.
type table struct {
	t    *testing.T
	path string
}

func openTable(t *testing.T) table {
	t.Helper()
	path := os.Getenv("SLLMQ_BENCH_TABLE")
	if path == "" {
		t.Skip("SLLMQ_BENCH_TABLE is not set: see scripts/bench")
	}
	return table{t, path}
}

func (b table) write(what, target, reached, verdict string) {
	b.t.Helper()
	f, err := os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = fmt.Fprintf(f, "%-46s %-10s %-8s %s\n", what, target, verdict, reached)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// least records a ratio of speeds and whether it is at least target.
func (b table) least(what string, target, ratio float64, of string) {
	b.t.Helper()
	b.write(what, fmt.Sprintf(">= %.2f", target), fmt.Sprintf("%.2f of %s", ratio, of), verdict(ratio >= target))
}

// most records a value and whether it is below target.
func (b table) most(what string, target, value float64, unit, how string) {
	b.t.Helper()
	b.write(what, fmt.Sprintf("< %g%s", target, unit), fmt.Sprintf("%.3g%s %s", value, unit, how), verdict(value < target))
}

// none records why something was not measured.
func (b table) none(what, why string) {
	b.t.Helper()
	b.write(what, "", why, "not run")
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// number returns an environment variable's positive number, or otherwise.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}
