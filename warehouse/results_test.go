package warehouse

import (
	"fmt"
	"testing"
)

func FuzzImportJSON(f *testing.F) {
	for _, seed := range []string{
		`[{"model_name":"org/m-1_0","loading_time":1.5,"end_to_end_time":2,"throughput":30.5,"output_text":"a"}]`,
		`[{"model_name":"org/m-1_0","loading_time":1e308},{"model_name":"org/m-1_1","loading_time":5e-324}]`,
		`[{"model_name":"org/m-1_0","loading_time":-1}]`, `[{"model_name":"_","loading_time":1}]`,
		`[]`, `[`, `{}`, `[{}] []`, `[{"model_name":"org/m-1_99999999999","loading_time":1}]`, "[\n{\"model_name\": x}]", "[[[[[[[[",
	} {
		f.Add("org_m-1_sllm_1_random.json", []byte(seed))
	}
	f.Add("org_m-1_phantom_3_cached.json", []byte(`[{"model_name":"org/m-1_0","loading_time":1}]`))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		r, err := parseResults(name, text)
		if err != nil {
			return
		}
		if r.format != "sllm" && r.format != "safetensors" || r.benchmarkType != "random" && r.benchmarkType != "cached" || len(r.loads) == 0 {
			t.Fatalf("taken as %+v", r)
		}
		for _, l := range r.loads {
			if !(l.LoadingTime > 0) || l.replica < 0 || l.ModelName != fmt.Sprintf("%s_%d", r.model, l.replica) && len(l.ModelName) <= len(r.model) {
				t.Fatalf("load %+v of %q", l, r.model)
			}
		}
	})
}
