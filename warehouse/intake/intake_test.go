package intake

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

func FuzzImportFio(f *testing.F) {
	for _, seed := range []string{
		`{"fio version": "fio-3.33", "timestamp": 1790000000, "global options": {"direct": "1"}, "jobs": [{"jobname": "a", "groupid": 0, "job options": {"numjobs": "4"}, "read": {"io_bytes": 2097152, "total_ios": 2, "runtime": 2}}]}`,
		`warning {"fio version": "", "jobs": [{"job options": {"direct": "1", "iodepth": "-1"}, "read": {"io_bytes": 1125899906842624, "total_ios": 1, "runtime": 1}}, {"groupid": 1}]}`,
		`{"fio version": "x", "jobs": [{"read": {"io_bytes": -1}}]}`, `{"fio version"`, `{}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parseFio(text, Options{})
		if err != nil {
			return
		}
		if len(all) == 0 {
			t.Fatal("no roofline and no error")
		}
		for _, r := range all {
			if r.ID == "" || r.Bytes <= 0 || !(r.DurationS > 0) || !(r.BandwidthBytesPerS > 0) || *r.IOSizeBytes <= 0 {
				t.Fatalf("taken as %+v", r)
			}
		}
	})
}
