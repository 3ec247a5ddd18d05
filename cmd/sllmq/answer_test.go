package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestJudgeAnswers lets pyarrow read answers as Arrow and as Parquet and compare
// every value. It needs a Python that has it (scripts/fixtures/check_parquet.sh).
func TestJudgeAnswers(t *testing.T) {
	python := os.Getenv("SLLMQ_JUDGE_PYTHON")
	if python == "" {
		t.Skip("no SLLMQ_JUDGE_PYTHON")
	}
	judge, err := filepath.Abs("../../scripts/fixtures/judge_answers.py")
	if err != nil {
		t.Fatal(err)
	}
	const asked = `select i, i / 8 as d, case when i % 7 > 0 then 'opt-' || i % 97 end as s,
		timestamptz '2026-01-01' + to_seconds(i) as at, timestamp '2026-01-01' + to_seconds(i) as local,
		i::hugeint * 100000000000000000000 as h, -0.05::decimal(4,2) as m, i % 2 = 0 as b, (timestamp '2026-01-01' + to_seconds(i))::date as day,
		'00000000-0000-0000-0000-000000000001'::uuid as u, '\xAB\x00'::blob as bl, null as n, time '01:02:03' as t, [1, null, (i % 5)::int] as l,
		{'a': (i % 3)::int, 'b': 'x'} as st, map {'k': i} as mp, 'two'::enum('one', 'two') as e
		from range(300000) r(i)`
	b := shellHome(t)
	if out, err := b.command("sql", "-o", "answer.parquet", asked).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	answer := b.command("sql", "--format", "arrow", asked)
	pipe, err := answer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	answer.Stderr = os.Stderr
	if err := answer.Start(); err != nil {
		t.Fatal(err)
	}
	reader := exec.Command(python, judge, filepath.Join(b.dir, "answer.parquet"))
	reader.Stdin = pipe
	out, err := reader.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if err := answer.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%s", out)
}
