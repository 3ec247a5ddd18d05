package queries

import (
	"testing"
	"time"

	"github.com/sllmq/sllmq/warehouse/record"
)

// What a filter chooses is the same for every question, asked here or pasted.
func TestFilterChoosesLoads(t *testing.T) {
	const hostile = "it's $runs -- /* \x1f"
	m := made{t: t}
	m.run(firstDay, "pool", map[string]string{"branch": "main", "it's": "x=y"}, nil, []float64{1, 2})
	m.collect = ""
	m.run(firstDay.Add(time.Hour), "direct", map[string]string{"branch": "mine"}, func(_ *record.Machine, run *record.Run, _ []record.Load) {
		run.Model, run.Format, run.BenchmarkType = hostile, "safetensors", "cached"
	}, []float64{3})
	m.run(firstDay.Add(2*time.Hour), "pool", nil, nil, []float64{4, 0})
	db := m.open()
	first, second := m.batch.Runs[0], m.batch.Runs[1]
	for _, c := range []struct {
		name   string
		filter Filter
		want   int // counted loads
	}{
		{"all", Filter{}, 4},
		{"a model", Filter{Models: []string{hostile}}, 1},
		{"models", Filter{Models: []string{hostile, "m/x", "no"}}, 4},
		{"a format", Filter{Formats: []string{"sllm"}}, 3},
		{"a benchmark type", Filter{BenchmarkTypes: []string{"cached"}}, 1},
		{"a run", Filter{Runs: []string{first.ID}}, 2},
		{"a collect", Filter{Collects: []string{second.CollectID}}, 2},
		{"a tag", Filter{Tags: map[string]string{"branch": "main"}}, 2},
		{"tags", Filter{Tags: map[string]string{"branch": "main", "it's": "x=y"}}, 2},
		{"tags of two runs", Filter{Tags: map[string]string{"branch": "mine", "it's": "x=y"}}, 0},
		{"since", Filter{Since: firstDay.Add(time.Hour)}, 2},
		{"until", Filter{Until: firstDay.Add(time.Hour)}, 2},
		{"SQL", Filter{Where: "loader = 'direct' OR loading_time_s > 3 -- both"}, 2},
		{"all of it", Filter{Models: []string{"m/x"}, Formats: []string{"sllm"}, Since: firstDay.Add(time.Minute), Where: "true OR false"}, 1},
	} {
		loads, err := Loads(t.Context(), db, c.filter)
		if err != nil || len(loads) != c.want {
			t.Errorf("%s: %d loads, %v; want %d", c.name, len(loads), err, c.want)
		}
		for _, question := range []string{"loads", "summary", "levels", "machines", "failures", "stages", "chunks", "samples", "best_rooflines", "techniques", "estimates", "nights", "twins"} {
			text, err := Paste(question, c.filter)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := db.QueryContext(t.Context(), text)
			if err != nil {
				t.Errorf("%s, %s: %v\n%s", c.name, question, err, text)
				continue
			}
			n := 0
			for rows.Next() {
				n++
			}
			if err := rows.Close(); err != nil || question == "loads" && n != c.want {
				t.Errorf("%s, %s pasted: %d rows, %v", c.name, question, n, err)
			}
		}
	}
}
