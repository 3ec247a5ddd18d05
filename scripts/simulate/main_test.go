package main

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/sllmq/sllmq/warehouse"
)

// digestSQL digests the random figures, whatever the order of the rows.
const digestSQL = `SELECT count(*), count(error), bit_xor(hash(run_id::VARCHAR || '/' || seq))::VARCHAR || ' ' || sum((1e9 * coalesce(loading_time_s, 0))::HUGEINT) FROM loads`

func TestTheSameSeedIsTheSameWarehouse(t *testing.T) {
	const loads = 3000
	made := func(seed uint64) (digest string) {
		path := filepath.Join(t.TempDir(), "s.duckdb")
		if err := simulate(t.Context(), path, loads, seed, "2026-06-30", "1GB"); err != nil {
			t.Fatal(err)
		}
		db, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var n, failed int64
		if err := db.SQL().QueryRow(digestSQL).Scan(&n, &failed, &digest); err != nil {
			t.Fatal(err)
		}
		if n != loads || failed == 0 {
			t.Errorf("%d loads, %d failed", n, failed)
		}
		// Every table has rows, and every row belongs to a run.
		for _, table := range []string{"machines", "runs", "sessions", "stages", "inferences", "rooflines"} {
			var rows, orphans int64
			if err := db.SQL().QueryRow("SELECT count(*) FROM " + table).Scan(&rows); err != nil || rows == 0 {
				t.Errorf("table %s: %d rows, %v", table, rows, err)
			}
			if table == "machines" {
				continue
			}
			if err := db.SQL().QueryRow("SELECT count(*) FROM " + table + " t WHERE run_id IS NOT NULL AND run_id NOT IN (SELECT run_id FROM load_facts)").Scan(&orphans); err != nil || orphans != 0 {
				t.Errorf("table %s: %d rows of no run, %v", table, orphans, err)
			}
		}
		return digest
	}
	a, b, c := made(1), made(1), made(2)
	if a != b {
		t.Errorf("%s and %s of one seed", a, b)
	}
	if a == c {
		t.Errorf("%s of two seeds", a)
	}
}

func TestASimulationDoesNotTouchWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.duckdb")
	for name, arguments := range map[string]struct {
		path  string
		loads int64
		night string
	}{"no file": {"", 3000, "2026-06-30"}, "too few": {path, 10, "2026-06-30"}, "no day": {path, 3000, "soon"}, "there": {t.TempDir(), 3000, "2026-06-30"}} {
		if err := simulate(context.Background(), arguments.path, arguments.loads, 1, arguments.night, "1GB"); err == nil {
			t.Error(name)
		}
	}
}
