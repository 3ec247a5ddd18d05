package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A warehouse that takes a while to write: 20 runs of 3000 loads, each with a
// stage, and one run that goes on.
const manyRows = `
INSERT INTO machines (machine_id, machine, first_seen_at) VALUES ('m', 'box', TIMESTAMPTZ '2026-01-01');
INSERT INTO runs BY NAME SELECT uuid() AS run_id, uuid() AS collect_id, 'm' AS machine_id, TIMESTAMPTZ '2026-01-01' + to_months((i % 2)::INT) AS started_at,
  CASE WHEN i > 0 THEN TIMESTAMPTZ '2026-03-01' END AS ended_at, if(i > 0, 'completed', 'running') AS status, 'org/m' AS model, 'local' AS model_source,
  'sllm' AS format, 'pool' AS loader, 'host' AS device, 'native' AS engine, 'random' AS benchmark_type, 3000 AS num_replicas, 1 AS sessions FROM range(20) t(i);
INSERT INTO loads BY NAME SELECT run_id, seq, 0 AS session, started_at + to_seconds(seq) AS started_at, seq AS replica, false AS warmup, random() AS loading_time_s FROM runs, range(3000) s(seq);
INSERT INTO stages BY NAME SELECT run_id, seq, 'read' AS stage, random() AS start_s, random() AS duration_s FROM loads`

// checksum is what tells whether a warehouse holds the same rows as another,
// and none twice.
const checksum = `SELECT (SELECT count(*) FROM loads) AS loads, (SELECT sum(hash(run_id::VARCHAR, seq, loading_time_s, started_at)) FROM loads) AS a,
  (SELECT sum(hash(run_id::VARCHAR, seq, stage, start_s, duration_s)) FROM stages) AS b, (SELECT sum(hash(run_id::VARCHAR, status, ended_at, tags)) FROM runs) AS c`

// out runs the program on a warehouse and returns what it prints.
func (b bench) out(args ...string) string {
	b.t.Helper()
	text, err := b.command(args...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("sllmq %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	return string(text)
}

func (b bench) ask(warehouse, query string) string {
	b.t.Helper()
	_, rows, _ := strings.Cut(strings.TrimSpace(b.out("sql", "--warehouse", warehouse, "--format", "csv", query)), "\n")
	return rows
}

// kill starts the program and kills it at some moment of the time that it takes,
// and says whether it lived to its end all the same.
func (b bench) kill(takes time.Duration, args ...string) {
	b.t.Helper()
	cmd := b.command(args...)
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	time.AfterFunc(time.Duration(rand.Int64N(int64(takes))), func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // it was killed, or was faster
}

// takes is how long the program runs.
func (b bench) takes(args ...string) time.Duration {
	b.t.Helper()
	begun := time.Now()
	b.out(args...)
	return time.Since(begun)
}

func (b bench) remove(name string) {
	b.t.Helper()
	if err := os.RemoveAll(filepath.Join(b.dir, name)); err != nil {
		b.t.Fatal(err)
	}
}

func newManyRows(t *testing.T) (b bench, want string) {
	b = newBench(t)
	b.out("sql", "--write", manyRows)
	return b, b.ask(defaultWarehouse, checksum)
}

const killRounds = 3

func TestAKilledExportIsCompletedByTheNext(t *testing.T) {
	b, want := newManyRows(t)
	takes := b.takes("export", "--to", "new")
	for round := range killRounds {
		b.remove("new")
		b.kill(takes, "export", "--to", "new")
		// A new data set is there whole or not at all.
		if _, err := os.Stat(filepath.Join(b.dir, "new")); err == nil {
			if got := b.ask("new", checksum); got != want {
				t.Fatalf("round %d: after the kill %s, want %s", round, got, want)
			}
			continue
		}
		b.out("export", "--to", "new")
		if got := b.ask("new", checksum); got != want {
			t.Fatalf("round %d: %s, want %s", round, got, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, ".sllmq-new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAKilledAppendToADataSetIsCompletedByTheNext(t *testing.T) {
	b, want := newManyRows(t)
	half := []string{"export", "--to", "set", "--partition-by", "month", "--where", "seq < 1000 or status <> 'running'"}
	rest := []string{"export", "--to", "set", "--append"}
	b.out(half...)
	before := b.ask("set", checksum)
	b.out("sql", "--write", "update runs set status = 'completed', ended_at = TIMESTAMPTZ '2026-04-01' where ended_at is null")
	ended := b.ask(defaultWarehouse, checksum)
	if want == ended || before == want {
		t.Fatal("there is nothing to add")
	}
	takes := b.takes(rest...)
	for round := range killRounds {
		b.remove("set")
		b.out("sql", "--write", "update runs set status = 'running', ended_at = null where ended_at = TIMESTAMPTZ '2026-04-01'")
		b.out(half...)
		b.out("sql", "--write", "update runs set status = 'completed', ended_at = TIMESTAMPTZ '2026-04-01' where ended_at is null")
		// Whoever reads meanwhile never fails, and never sees a load without its
		// stage or a row twice.
		stop := make(chan struct{})
		var reader sync.WaitGroup
		reader.Go(func() {
			for {
				b.whole(t, "set")
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		b.kill(takes, rest...)
		close(stop)
		reader.Wait()
		b.whole(t, "set")
		b.out(rest...)
		if got := b.ask("set", checksum); got != ended {
			t.Fatalf("round %d: %s, want %s", round, got, ended)
		}
		if left, _ := filepath.Glob(filepath.Join(b.dir, "set", ".sllmq-new-*")); len(left) > 0 {
			t.Fatalf("left behind: %v", left)
		}
	}
}

// whole holds a data set to what has to be so at any moment.
func (b bench) whole(t *testing.T, set string) {
	const query = `SELECT (SELECT count(*) FROM loads ANTI JOIN stages USING (run_id, seq)) + (SELECT count(*) - count(DISTINCT (run_id, seq)) FROM loads)
		+ (SELECT count(*) - count(DISTINCT run_id) FROM runs) + (SELECT count(*) FROM loads) - (SELECT count(*) FROM load_facts) AS wrong`
	out, err := b.command("sql", "--warehouse", set, "--format", "csv", query).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "wrong\n0" {
		t.Errorf("%s: %v\n%s", set, err, out)
	}
}

func TestAKilledImportIsCompletedByTheNext(t *testing.T) {
	b, want := newManyRows(t)
	b.out("export", "--to", "set")
	for _, to := range []string{"into.duckdb", "into/"} {
		takes := b.takes("import", "--warehouse", to, "set")
		for round := range killRounds {
			b.remove(to)
			b.kill(takes, "import", "--warehouse", to, "set")
			if _, err := os.Stat(filepath.Join(b.dir, to)); err == nil {
				if n := b.ask(to, "SELECT count(*) FROM loads"); n != "0" && n != "60000" {
					t.Fatalf("%s, round %d: %s loads after the kill", to, round, n)
				}
			}
			b.out("import", "--warehouse", to, "set")
			if got := b.ask(to, checksum); got != want {
				t.Fatalf("%s, round %d: %s, want %s", to, round, got, want)
			}
			if said := b.out("import", "--warehouse", to, "set"); said != "set: a warehouse, all of which is there already\n" {
				t.Fatalf("%s, round %d: once more says %s", to, round, said)
			}
			if left, _ := filepath.Glob(filepath.Join(b.dir, ".sllmq-new-*")); len(left) > 0 {
				t.Fatalf("%s, round %d: left behind: %v", to, round, left)
			}
		}
	}
}

func TestAKilledOverwriteLeavesEachTableOldOrNew(t *testing.T) {
	b, want := newManyRows(t)
	const loads = "SELECT count(*) FROM loads"
	few := []string{"export", "--to", "set", "--overwrite", "--where", "seq = 0"}
	all := []string{"export", "--to", "set", "--overwrite"}
	b.out(few...)
	takes := b.takes(all...)
	for round := range killRounds {
		b.out(few...)
		b.kill(takes, all...)
		if n := b.ask("set", loads); n != "20" && n != "60000" {
			t.Fatalf("round %d: %s loads after the kill", round, n)
		}
		b.out(all...)
		if got := b.ask("set", checksum); got != want {
			t.Fatalf("round %d: %s, want %s", round, got, want)
		}
	}
	if got := fmt.Sprint(filepath.Glob(filepath.Join(b.dir, "set", ".sllmq-new-*"))); got != "[] <nil>" {
		t.Errorf("left behind: %s", got)
	}
}
