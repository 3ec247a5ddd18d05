package loader

import (
	"slices"
	"testing"
)

// The wanted order is that of sorted(names, key=dot_natural_key) in transformers
// 5.23.
func TestNamesInTransformersOrder(t *testing.T) {
	want := []string{
		"0.x",
		"10.x",
		"a",
		"a.01.b",
		"a.2.b",
		"a.10.b",
		"a.",
		"a.x",
		"a1",
		"a2",
		"a10",
		"model.layers.0.w",
		"model.layers.2.w",
		"model.layers.2.w_2",
		"model.layers.2.w_11",
		"model.layers.11.w",
		"model.norm.w",
	}
	got := slices.Clone(want)
	slices.Sort(got)
	if slices.Equal(got, want) {
		t.Fatal("the names test nothing: they are in plain order")
	}
	slices.SortFunc(got, naturally)
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
