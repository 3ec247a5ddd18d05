package plots

import (
	"hash/fnv"
	"slices"

	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Looks give each technique, which is a format with an engine and a loader, the same
// colour, hatch and marker in every picture. A technique's place in the list is its
// look. The list holds all techniques of a warehouse in the order in which they were
// first measured, and not only those of one picture, so that no filter changes a
// look, and neither does a technique that is added later. A hash of the name would
// do without the list, but it would often give one colour to two of three arms.
//
// A picture places techniques that are not in the list after those that are, in the
// order in which its data first mention them.
type Looks []record.Arm

// LooksOf are the looks of the techniques of arms.
func LooksOf(arms []record.Arm) (looks Looks) { return looks.with(arms) }

// with is the list with the techniques of further arms at its end.
func (l Looks) with(arms []record.Arm) Looks {
	l = slices.Clone(l)
	for _, a := range arms {
		l = appendNew(l, technique(a))
	}
	return l
}

// technique is an arm without what was loaded and the conditions it was loaded under.
func technique(a record.Arm) record.Arm {
	return record.Arm{Format: a.Format, Engine: a.Engine, Loader: a.Loader}
}

// of returns the looks of arms that are drawn together. Different techniques have
// different looks if there are enough.
func (l Looks) of(arms []record.Arm) []chart.Look {
	l = l.with(arms)
	drawn := LooksOf(arms)
	var taken slots
	looks := map[record.Arm]chart.Look{}
	for i, t := range l {
		if slices.Contains(drawn, t) {
			looks[t] = chart.LookOf(taken.claim(i))
		}
	}
	list := make([]chart.Look, len(arms))
	for i, a := range arms {
		list[i] = looks[technique(a)]
	}
	return list
}

// slots are the looks that a picture uses.
type slots [chart.Looks]bool

// claim takes the look i or, if the picture uses it already, the next one that is
// free.
func (s *slots) claim(i int) int {
	for n := range chart.Looks {
		if at := (i + n) % chart.Looks; !s[at] {
			s[at] = true
			return at
		}
	}
	return i
}

// stageLooks are the stages that loads record, by look. Those that usually take
// longest are the easiest to tell apart.
var stageLooks = []string{
	"read", "copy", "allocate", "index", "open", "close", "pin", "register",
	"from_pretrained", "load_model", "request", "confirm", "settle", "handle", "synchronize",
}

// looksOfStages are the looks of stages, the same in every picture: by their places
// in stageLooks, or by a hash if they are not there.
func looksOfStages(names []string) map[string]chart.Look {
	var taken slots
	looks := map[string]chart.Look{}
	for i, name := range stageLooks {
		taken.claim(i)
		looks[name] = chart.LookOf(i)
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		if _, known := looks[name]; known {
			continue
		}
		h := fnv.New32a()
		h.Write([]byte(name))
		looks[name] = chart.LookOf(taken.claim(int(h.Sum32() % chart.Looks)))
	}
	return looks
}
