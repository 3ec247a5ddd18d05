package queries

import (
	"slices"
	"strings"
	"testing"
)

func TestNamedQueriesSayWhatTheyAre(t *testing.T) {
	list, err := NamedQueries("")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range list {
		names = append(names, n.Name)
		if n.Title == "" || n.Columns == "" || !slices.ContainsFunc(n.Parameters, func(p Parameter) bool { return p.Name == "model" && p.Meaning != "" }) {
			t.Errorf("%s: title %q, columns %q, parameters %v", n.Name, n.Title, n.Columns, n.Parameters)
		}
		if placeholder.MatchString(n.Paste(nil)) {
			t.Errorf("%s has a parameter when it is pasted: %s", n.Name, n.Paste(nil))
		}
	}
	for _, want := range []string{"summary", "comparison", "speedup_by_model", "stages", "efficiency", "cold_against_cached", "order_effects", "bimodal_runs",
		"outliers", "slowest_chunks", "setup_cost", "inference", "failures", "trend", "machines"} {
		if !slices.Contains(names, want) {
			t.Errorf("no query %s", want)
		}
	}
}

func TestPastedValuesAreNotLookedAt(t *testing.T) {
	n, err := parseNamed("x", "-- title: X\n-- columns: y\n-- parameter: a = '1', one\n-- parameter: ab = '2', other\nSELECT $a, $ab, $abc, '$5'")
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Paste(map[string]string{"a": "$ab's"}); !strings.HasSuffix(got, "SELECT '$ab''s', '2', $abc, '$5';\n") {
		t.Errorf("%q", got)
	}
}
