package gallery

import (
	"math/rand/v2"
	"testing"
)

// Whatever there is, no two arms have the same names, since their loads would
// be drawn as one's.
func TestNamesTellArmsApart(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	of := func(values ...string) string { return values[random.IntN(len(values))] }
	for range 20_000 {
		seen := map[arm]bool{}
		var arms []arm
		for range 1 + random.IntN(5) {
			a := arm{of("m1", "m2"), of("a/x", "b/x", "a/y"), of("random", "cached"), of("sllm", "safetensors"), of("pool", "direct"), of("host", "cuda:0"), of("native", "transformers")}
			if !seen[a] {
				seen[a] = true
				arms = append(arms, a)
			}
		}
		n := namesFor(arms)
		named := map[[2]string]arm{}
		for _, a := range arms {
			key := [2]string{n.model(a), n.arm(a)}
			if other, taken := named[key]; taken {
				t.Fatalf("%v and %v are both called %q", a, other, key)
			}
			named[key] = a
		}
	}
}

// What all share, or what another word implies, is not said.
func TestNamesAreAsShortAsTheyCanBe(t *testing.T) {
	base := arm{"m1", "a/x", "random", "safetensors", "mmap", "host", "native"}
	with := func(change func(*arm)) arm { a := base; change(&a); return a }
	for _, c := range []struct {
		arms       []arm
		model, arm string // of the last
	}{
		{[]arm{base}, "a/x", "SafeTensors"},
		{[]arm{base, with(func(a *arm) { a.format, a.loader = "sllm", "pool" })}, "a/x", "SLLM"},
		{[]arm{base, with(func(a *arm) { a.loader = "pinned" })}, "a/x", "SafeTensors pinned"},
		{[]arm{base, with(func(a *arm) { a.benchmarkType = "cached" })}, "x, cached", "SafeTensors"},
		{[]arm{base, with(func(a *arm) { a.machine, a.device = "m2", "cuda:0" })}, "x on m2", "SafeTensors"},
		{[]arm{base, with(func(a *arm) { a.device = "cuda:0" })}, "x, to cuda:0", "SafeTensors"},
		{[]arm{base, with(func(a *arm) { a.model = "b/x"; a.machine = "m2" })}, "b/x on m2", "SafeTensors"},
		{[]arm{base, with(func(a *arm) { a.engine = "transformers" })}, "a/x", "SafeTensors by transformers"},
	} {
		n := namesFor(c.arms)
		last := c.arms[len(c.arms)-1]
		if model, name := n.model(last), n.arm(last); model != c.model || name != c.arm {
			t.Errorf("%q, %q, want %q, %q", model, name, c.model, c.arm)
		}
	}
}

func TestTheBaselineIsWhatPeopleLoadWith(t *testing.T) {
	list := []arm{{loader: "direct", format: "safetensors"}, {loader: "raw", format: "safetensors"}, {loader: "mmap", format: "safetensors"}, {loader: "pool", format: "sllm"}}
	if b := namesFor(list).baseline(list); b != "SafeTensors mmap" {
		t.Errorf("baseline %q", b)
	}
	if b := namesFor(list[3:]).baseline(list[3:]); b != "" {
		t.Errorf("baseline %q", b)
	}
}
