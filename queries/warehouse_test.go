package queries

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/record"
)

var firstDay = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// made is a warehouse being filled.
type made struct {
	t       *testing.T
	batch   record.Batch
	collect string
}

// run adds a run of sessions with their times; one of 0 is a load that failed.
func (m *made) run(at time.Time, loader string, tags map[string]string, change func(*record.Machine, *record.Run, []record.Load), sessions ...[]float64) {
	id := uuid.Must(uuid.NewV7()).String()
	if m.collect == "" {
		m.collect = id
	}
	machine := record.Machine{ID: "m", Machine: "vm", FirstSeenAt: at, Kernel: new("6.1")}
	run := record.Run{ID: id, CollectID: m.collect, StartedAt: at, Arm: record.Arm{Model: "m/x", BenchmarkType: "random", Format: "sllm", Engine: "native", Loader: loader, Device: "host"}, Status: record.StatusCompleted, ModelSource: "synthetic", NumReplicas: 2, Sessions: int64(len(sessions)), Tags: tags, Version: new("v1")}
	var loads []record.Load
	for s, times := range sessions {
		for _, t := range times {
			l := record.Load{RunID: id, Seq: int64(len(loads)), Session: int64(s), StartedAt: at.Add(time.Duration(len(loads)) * time.Second), LoadingTimeS: &t, SourceTier: new("storage")}
			if t == 0 {
				l.LoadingTimeS, l.Error, l.SourceTier = nil, new("killed"), nil
			}
			loads = append(loads, l)
		}
	}
	if change != nil {
		change(&machine, &run, loads)
	}
	run.MachineID = machine.ID
	if !slices.ContainsFunc(m.batch.Machines, func(other record.Machine) bool { return other.ID == machine.ID }) {
		m.batch.Machines = append(m.batch.Machines, machine)
	}
	m.batch.Runs, m.batch.Loads = append(m.batch.Runs, run), append(m.batch.Loads, loads...)
}

func (m *made) open() *sql.DB {
	m.t.Helper()
	path := filepath.Join(m.t.TempDir(), "w.duckdb")
	if err := warehouse.At(path, warehouse.Options{}).Append(m.t.Context(), m.batch); err != nil {
		m.t.Fatal(err)
	}
	db, err := warehouse.At(path, warehouse.Options{}).Open(m.t.Context(), warehouse.Access{})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			m.t.Error(err)
		}
	})
	return db.SQL()
}

func TestContrastReadsSessionsAndWhatDiffers(t *testing.T) {
	m := made{t: t}
	m.run(firstDay, "pool", map[string]string{"branch": "main"}, nil, []float64{1, 1.1, 0}, []float64{1.2, 1.3}, []float64{1.1})
	m.collect = ""
	m.run(firstDay.AddDate(0, 0, 1), "pool", map[string]string{"branch": "mine"}, func(machine *record.Machine, run *record.Run, loads []record.Load) {
		machine.ID, machine.Kernel, machine.GPUDriver = "n", new("6.12"), new("570")
		run.MemPoolBytes = new(int64(1 << 30))
		loads[1].SourceTier = new("page_cache")
		for i := range loads {
			loads[i].StealS = new(0.1)
		}
	}, []float64{2, 2.2}, []float64{2.4, 2.6})
	m.run(firstDay.AddDate(0, 0, 1), "raw", map[string]string{"branch": "mine"}, nil, []float64{0.1}, []float64{0.1})
	db := m.open()
	pairs, err := Contrast{By: "branch", Baseline: "main", Confidence: 0.95}.Ask(t.Context(), db)
	if err != nil || len(pairs) != 1 {
		t.Fatalf("%+v, %v", pairs, err)
	}
	p := pairs[0]
	if p.Unit != "session" || p.Before.N != 3 || p.After.N != 2 || p.BeforeLoads != (ArmLoads{N: 5, Failed: 1, MeanS: p.BeforeLoads.MeanS, Nights: 1}) || p.AfterLoads.N != 4 || p.Apart != 1 {
		t.Errorf("%+v", p)
	}
	if want := 2.3 / 1.1; p.Ratio.Before != 1.1 || p.Ratio.Estimate < want-1e-9 || p.Ratio.Estimate > want+1e-9 {
		t.Errorf("ratio %+v, want %v", p.Ratio, want)
	}
	if want := 2.3 / 1.14; p.MeanRatio < want-1e-9 || p.MeanRatio > want+1e-9 {
		t.Errorf("ratio of means %v, want %v", p.MeanRatio, want)
	}
	if p.Need != 4 || p.Significant(0.95) {
		t.Errorf("need %d, p %v", p.Need, p.AdjustedP)
	}
	for _, want := range []string{"source_tier differs: storage 75 %, page_cache 25 % against storage", "mem_pool_size_bytes differs: 1073741824 against none",
		"kernel differs: 6.12 against 6.1", "gpu_driver differs: 570 against none", "1 of 6 main loads failed", "noisy machine: others used 4 % of the CPU time during mine loads"} {
		if !slices.Contains(p.Warnings, want) {
			t.Errorf("no %q in %q", want, p.Warnings)
		}
	}
	// A digest of facts that are told apart is not told as well.
	if slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.HasPrefix(w, "machine_id") }) {
		t.Error(p.Warnings)
	}
	// Two runs may differ in anything.
	across, err := Contrast{By: "run_id", Across: true, Baseline: m.batch.Runs[0].ID, Arms: []string{m.batch.Runs[0].ID, m.batch.Runs[1].ID}, Confidence: 0.95}.Ask(t.Context(), db)
	if err != nil || len(across) != 1 || across[0].Arm != m.batch.Runs[1].ID {
		t.Errorf("%+v, %v", across, err)
	}
	split, err := Contrast{By: "time", SplitAt: firstDay.Add(time.Hour), Confidence: 0.95}.Ask(t.Context(), db)
	if err != nil || len(split) != 1 || split[0].Baseline != "before" || split[0].Arm != "after" || split[0].After.N != 2 {
		t.Errorf("%+v, %v", split, err)
	}
	for by, want := range map[string]string{"nothing": "no column or tag", "model": "all loads are of model"} {
		if _, err := (Contrast{By: by, Confidence: 0.95}).Ask(t.Context(), db); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", by, err)
		}
	}
}

func TestAnArmOfSeveralLoadersIsAMixture(t *testing.T) {
	m := made{t: t}
	for i, loader := range []string{"mmap", "direct"} {
		m.run(firstDay, loader, nil, func(_ *record.Machine, run *record.Run, _ []record.Load) { run.Format = "safetensors" }, []float64{float64(2 + i)}, []float64{2.1})
	}
	m.run(firstDay, "pool", nil, nil, []float64{1}, []float64{1.1})
	pairs, err := Contrast{By: "format", Confidence: 0.95}.Ask(t.Context(), m.open())
	if err != nil || len(pairs) != 1 || pairs[0].Baseline != "safetensors" || !slices.Contains(pairs[0].Warnings, "safetensors mixes loaders: direct 50 %, mmap 50 %") {
		t.Errorf("%+v, %v", pairs, err)
	}
}

// What nights do keeps a gate from taking one of the machine's bad ones for a
// regression, and where it is not known, the gate does not know either.
func TestCheckKnowsWhatNightsDo(t *testing.T) {
	type measured struct {
		night  int
		branch string
		level  float64
	}
	fill := func(models int, all ...measured) *sql.DB {
		m := made{t: t}
		for i, one := range all {
			m.collect = ""
			at := firstDay.AddDate(0, 0, one.night).Add(time.Duration(i) * time.Minute)
			for model := range models {
				l := one.level
				m.run(at, "pool", map[string]string{"branch": one.branch}, func(_ *record.Machine, run *record.Run, _ []record.Load) {
					run.Model = fmt.Sprint("m/", model)
				}, []float64{l}, []float64{l * 1.01}, []float64{l * 0.99}, []float64{l * 1.005}, []float64{l * 0.995})
			}
		}
		return m.open()
	}
	nightly := []measured{{0, "main", 1}, {1, "main", 1.1}, {2, "main", 1}, {3, "main", 1.1}}
	turns := func(slowdown float64) (all []measured) {
		for i := range 5 {
			all = append(all, measured{2 * i, "main", 1 + 0.01*float64(i%3)}, measured{2*i + 1, "mine", slowdown + 0.01*float64(i%3)})
		}
		return all
	}
	given := 0.01
	for _, c := range []struct {
		name    string
		db      *sql.DB
		given   *float64
		want    stats.Verdict
		reason  string
		pairs   int
		atLeast float64 // the floor of nights
	}{
		{name: "one night", db: fill(1, measured{0, "main", 1}, measured{0, "mine", 1.12}), want: stats.Regression, reason: "limit +5.0 %"},
		{name: "a night each", db: fill(1, measured{0, "main", 1}, measured{1, "mine", 1.5}), want: stats.Inconclusive, reason: "the noise between times is unknown: measure both within 2 hours of each other, or main at 10 times or more"},
		{name: "a night each, and no slower", db: fill(1, measured{0, "main", 1}, measured{1, "mine", 1}), want: stats.NoRegression},
		{name: "a night each, and a floor", db: fill(1, measured{0, "main", 1}, measured{1, "mine", 1.5}), given: &given, want: stats.Regression},
		{name: "four nights and one", db: fill(1, append(nightly, measured{4, "mine", 1.2})...), want: stats.Inconclusive, reason: "which alone may cause 111.2 %", pairs: 2, atLeast: 1.5},
		{name: "many models are not many nights", db: fill(7, append(nightly, measured{4, "mine", 1.2})...), want: stats.Inconclusive, reason: "which alone may cause", pairs: 2, atLeast: 1.5},
		{name: "far slower", db: fill(1, append(nightly, measured{4, "mine", 3})...), want: stats.Regression, pairs: 2, atLeast: 1.5},
		{name: "in the last of four nights", db: fill(1, append(nightly, measured{3, "mine", 1.2})...), want: stats.Inconclusive, reason: "which alone may cause", pairs: 2, atLeast: 1.5},
		{name: "five nights each", db: fill(1, turns(1.12)...), want: stats.Regression, pairs: 2},
	} {
		check := Check{Contrast: Contrast{By: "branch", Baseline: "main", Confidence: 0.95}, MaxSlowdown: 0.05, NoiseFloor: c.given}
		got, err := check.Ask(t.Context(), c.db)
		if err != nil || got.Verdict != c.want || !strings.Contains(got.Pairs[0].Reason, c.reason) || got.Noise.Nights.Pairs != c.pairs || got.Noise.Nights.Floor < c.atLeast {
			t.Errorf("%s: %v, %+v, %v (%v)", c.name, got.Verdict, got.Noise, got.Pairs[0].Reason, err)
		}
	}
}

func TestTrendFindsLevelsAndWhatChangedWithThem(t *testing.T) {
	m := made{t: t}
	for i := range 24 {
		m.collect = ""
		level := 1.0
		if i >= 12 {
			level = 0.8
		}
		m.run(firstDay.AddDate(0, 0, i), "pool", nil, func(machine *record.Machine, run *record.Run, _ []record.Load) {
			if i >= 12 {
				run.Version = new("v2")
			}
			if i >= 20 {
				machine.ID, machine.Kernel = "n", new("6.12")
			}
		}, []float64{level * (1 + 0.001*float64(i%5)), level})
	}
	m.collect = ""
	for i := range 3 {
		m.run(firstDay.AddDate(0, 0, i), "mmap", map[string]string{"k": fmt.Sprint(i)}, nil, []float64{1})
	}
	db := m.open()
	list, err := Trend{Alpha: 0.01, MinChange: 0.03}.Ask(t.Context(), db)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if s := list[0]; len(s.Stretches) != 1 || len(s.Tags) != 3 {
		t.Errorf("%+v", s)
	}
	s := list[1].Stretches
	if len(s) != 2 || s[1].Index != 12 || s[1].Runs != 12 || s[1].Change > -0.19 || s[1].P > 0.01 || !slices.Equal(s[1].With, []string{"sllmq v1 -> v2"}) {
		t.Errorf("%+v", s)
	}
	if quiet, err := (Trend{Alpha: 0.01, MinChange: 0.5}).Ask(t.Context(), db); err != nil || len(quiet[1].Stretches) != 1 {
		t.Errorf("%+v, %v", quiet, err)
	}
	by, err := Trend{By: "kernel"}.Ask(t.Context(), db)
	if err != nil || len(by[1].Stretches) != 2 || by[1].Stretches[1].Value != "6.12" || by[1].Stretches[1].Runs != 4 {
		t.Errorf("%+v, %v", by, err)
	}
	if _, err := (Trend{By: "weather"}).Ask(t.Context(), db); err == nil {
		t.Error("a comparison by an unknown column succeeds")
	}
}
