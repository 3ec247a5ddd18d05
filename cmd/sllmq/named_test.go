package main

import (
	"fmt"
	"strings"
	"testing"
)

// A run whose loads fall into two groups is told, and one whose loads don't is
// not.
func TestBimodalRunsAreTold(t *testing.T) {
	b := newBench(t)
	var two, one []string
	for i := range 20 {
		slow := 0
		if i%4 == 0 {
			slow = 1
		}
		two = append(two, fmt.Sprintf(`{"model_name": "org/two_%d", "loading_time": %v}`, i, 1+float64(slow)+0.01*float64(i)))
		one = append(one, fmt.Sprintf(`{"model_name": "org/one_%d", "loading_time": %v}`, i, 1+0.01*float64(i)))
	}
	b.write("org_two_sllm_20_random.json", "["+strings.Join(two, ",")+"]")
	b.write("org_one_sllm_20_random.json", "["+strings.Join(one, ",")+"]")
	if out, err := b.command("import", "--machine", "box", "org_two_sllm_20_random.json", "org_one_sllm_20_random.json").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for separation, want := range map[string]string{"0.8": "org/two,15", "0.7": "org/two,15\norg/one,10"} {
		out, err := b.command("query", "bimodal_runs", "--param", "separation="+separation, "--format", "csv").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n")[1:] {
			fields := strings.Split(line, ",")
			got = append(got, fields[1]+","+fields[7])
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("from %s on: %q, want %q\n%s", separation, got, want, out)
		}
	}
}
