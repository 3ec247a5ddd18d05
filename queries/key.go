package queries

import (
	"slices"
	"strings"

	"github.com/sllmq/sllmq/warehouse/record"
)

// dimensions are the fields of an Arm in the order in which comparisons list
// what arms share.
var dimensions = [...]struct {
	column string
	field  func(*record.Arm) *string
}{
	{"machine", func(a *record.Arm) *string { return &a.Machine }},
	{"model", func(a *record.Arm) *string { return &a.Model }},
	{"benchmark_type", func(a *record.Arm) *string { return &a.BenchmarkType }},
	{"device", func(a *record.Arm) *string { return &a.Device }},
	{"engine", func(a *record.Arm) *string { return &a.Engine }},
	{"format", func(a *record.Arm) *string { return &a.Format }},
	{"loader", func(a *record.Arm) *string { return &a.Loader }},
}

// machineDimension is the machine's place in dimensions.
const machineDimension = 0

// Key is what both arms of a comparison have in common: an Arm in which the
// dimensions that may differ are empty. It is comparable with ==.
type Key struct {
	record.Arm
	shared [len(dimensions)]bool // the dimensions that both arms share, even where they are empty
}

// key returns what an arm of c must share with its baseline.
func (c Contrast) key(a record.Arm) Key {
	k := Key{Arm: a}
	differ := implied(c.By)
	for i, d := range dimensions {
		if k.shared[i] = !c.Across && !slices.Contains(differ, d.column); !k.shared[i] {
			*d.field(&k.Arm) = ""
		}
	}
	return k
}

// value is that of the i-th dimension.
func (k Key) value(i int) string { return *dimensions[i].field(&k.Arm) }

// columns names the shared dimensions.
func (k Key) columns() (names []string) {
	for i, d := range dimensions {
		if k.shared[i] {
			names = append(names, d.column)
		}
	}
	return names
}

// Values returns the values of the shared dimensions: of machine, model,
// benchmark type, device, engine, format and loader, in this order.
func (k Key) Values() []string {
	values := []string{}
	for i := range dimensions {
		if k.shared[i] {
			values = append(values, k.value(i))
		}
	}
	return values
}

// compare orders keys by their values.
func (k Key) compare(o Key) int { return slices.Compare(k.Values(), o.Values()) }

// words joins the values of the dimensions for which wanted is true, leaving
// out empty ones. The machine comes last.
func (k Key) words(wanted func(dimension int) bool) string {
	var words []string
	for n := range dimensions {
		if i := (n + machineDimension + 1) % len(dimensions); wanted(i) {
			words = append(words, k.value(i))
		}
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), ", ")
}

// GroupTitle tells a pair's group from the others in few words. If there is
// only one group it is the whole key.
func GroupTitle(p Pair, pairs []Pair) string {
	return p.Shared.words(func(i int) bool { return !common(pairs, i) || single(pairs) })
}

// CommonTitle is what all groups share if there are several.
func CommonTitle(pairs []Pair) string {
	if single(pairs) {
		return ""
	}
	return pairs[0].Shared.words(func(i int) bool { return common(pairs, i) })
}

// common reports whether all pairs agree in the i-th dimension.
func common(pairs []Pair, i int) bool {
	return !slices.ContainsFunc(pairs, func(p Pair) bool { return p.Shared.value(i) != pairs[0].Shared.value(i) })
}

// single reports whether all pairs are of one group.
func single(pairs []Pair) bool {
	return !slices.ContainsFunc(pairs, func(p Pair) bool { return p.Shared != pairs[0].Shared })
}
