package plots

import (
	"math/rand/v2"
	"testing"

	"github.com/sllmq/sllmq/warehouse/record"
)

// Different arms have different names, or their loads would be drawn as one arm's.
func TestNamesTellArmsApart(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	oneOf := func(values ...string) string { return values[random.IntN(len(values))] }
	for range 20_000 {
		var arms []record.Arm
		for range 1 + random.IntN(5) {
			arms = appendNew(arms, record.Arm{Machine: oneOf("m1", "m2"), Model: oneOf("a/x", "b/x", "a/y"), BenchmarkType: oneOf("random", "cached"),
				Format: oneOf("sllm", "safetensors"), Loader: oneOf("pool", "direct"), Device: oneOf("host", "cuda:0"), Engine: oneOf("native", "transformers")})
		}
		n := NameArms(arms)
		for _, named := range []func(record.Arm) [2]string{
			func(a record.Arm) [2]string { return [2]string{n.group(a), n.series(a)} },
			func(a record.Arm) [2]string { return [2]string{n.model(a) + n.conditionsAndPlace(a), n.series(a)} },
		} {
			owner := map[[2]string]record.Arm{}
			for _, a := range arms {
				if other, taken := owner[named(a)]; taken {
					t.Fatalf("%v and %v are both called %q", a, other, named(a))
				}
				owner[named(a)] = a
			}
		}
	}
}

// Names leave out what all arms share and what another fact implies.
func TestNamesAreBrief(t *testing.T) {
	base := record.Arm{Machine: "m1", Model: "a/x", BenchmarkType: "random", Format: "safetensors", Loader: "mmap", Device: "host", Engine: "native"}
	with := func(change func(*record.Arm)) record.Arm { a := base; change(&a); return a }
	for _, c := range []struct {
		arms          []record.Arm
		group, series string // of the last
	}{
		{[]record.Arm{base}, "a/x", "SafeTensors"},
		{[]record.Arm{base, with(func(a *record.Arm) { a.Format, a.Loader = "sllm", "pool" })}, "a/x", "SLLM"},
		{[]record.Arm{base, with(func(a *record.Arm) { a.Loader = "pinned" })}, "a/x", "SafeTensors pinned"},
		{[]record.Arm{base, with(func(a *record.Arm) { a.BenchmarkType = "cached" })}, "x, cached", "SafeTensors"},
		{[]record.Arm{base, with(func(a *record.Arm) { a.Machine, a.Device = "m2", "cuda:0" })}, "x on m2", "SafeTensors"},
		{[]record.Arm{base, with(func(a *record.Arm) { a.Device = "cuda:0" })}, "x, to cuda:0", "SafeTensors"},
		{[]record.Arm{base, with(func(a *record.Arm) { a.Model = "b/x"; a.Machine = "m2" })}, "b/x on m2", "SafeTensors"},
		{[]record.Arm{base, with(func(a *record.Arm) { a.Engine = "transformers" })}, "a/x", "SafeTensors by transformers"},
	} {
		n := NameArms(c.arms)
		last := c.arms[len(c.arms)-1]
		if n.group(last) != c.group || n.series(last) != c.series || n.Arm(last) != c.group+", "+c.series {
			t.Errorf("%q, %q: %q, want %q, %q", n.group(last), n.series(last), n.Arm(last), c.group, c.series)
		}
	}
}
