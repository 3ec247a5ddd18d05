package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bench is a folder to run the real program in, as its own process.
type bench struct {
	t   *testing.T
	dir string
	env []string // on top of the test's own
}

func newBench(t *testing.T) bench {
	if testing.Short() {
		t.Skip("runs for seconds")
	}
	return bench{t: t, dir: t.TempDir()}
}

func (b bench) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = b.dir
	cmd.Env = append(append(os.Environ(), isProgram+"=1"), b.env...)
	return cmd
}

// collect starts a collector of cached loads of a small model.
func (b bench) collect(loads int, more ...string) *collect {
	b.t.Helper()
	c := &collect{bench: b}
	c.cmd = b.command(append([]string{"collect", "--model-name", "synthetic/opt-125m", "--benchmark-type", "cached",
		"--num-replicas", strconv.Itoa(loads), "--storage-path", "models", "--inference", "none", "--no-roofline"}, more...)...)
	c.cmd.Stderr, c.cmd.Stdout = &c.stderr, &c.stderr
	if err := c.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	return c
}

type collect struct {
	bench
	cmd    *exec.Cmd
	stderr bytes.Buffer
}

// ends waits for the collector and checks its exit code; -1: it was killed.
func (c *collect) ends(code int) {
	c.t.Helper()
	err := c.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	if got := c.cmd.ProcessState.ExitCode(); got != code {
		c.t.Fatalf("exit code %d, want %d:\n%s", got, code, c.stderr.String())
	}
}

// sql queries the warehouse through the program, which must not fail once the file
// exists.
func (b bench) sql(query string) string {
	b.t.Helper()
	out, err := b.command("sql", "--format", "csv", query).CombinedOutput()
	if err != nil {
		b.t.Fatalf("sllmq sql %q: %v\n%s", query, err, out)
	}
	_, rows, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return rows
}

func (b bench) number(query string) int {
	b.t.Helper()
	n, err := strconv.Atoi(b.sql(query))
	if err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// waitForLoads returns as soon as the warehouse has n loads.
func (b bench) waitForLoads(n int) {
	b.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(b.dir, defaultWarehouse)); err == nil && b.number("select count(*) from loads") >= n {
			return
		}
	}
	b.t.Fatalf("no %d loads within a minute", n)
}

// worker returns the PID of the collector's worker.
func (c *collect) worker() int {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/task/*/children")
		for _, task := range tasks {
			children, err := os.ReadFile(task)
			if err != nil {
				continue
			}
			for _, child := range strings.Fields(string(children)) {
				pid, err := strconv.Atoi(child)
				if err == nil {
					return pid
				}
			}
		}
	}
	c.t.Fatal("no worker within a minute")
	return 0
}

func TestKilledCollectorLosesOnlyTheCurrentLoad(t *testing.T) {
	b := newBench(t)
	c := b.collect(10_000)
	b.waitForLoads(4)
	worker := c.worker()
	time.Sleep(137 * time.Millisecond)
	before := b.number("select count(*) from loads")
	if err := c.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.ends(-1)
	if n := b.number("select count(*) from loads"); n < before {
		t.Fatalf("%d loads were there before the kill, %d are after it", before, n)
	}
	if n := b.number("select count(*) from loads anti join stages using (run_id, seq) where error is null"); n != 0 {
		t.Fatalf("%d loads without their stages", n)
	}
	// The worker notices that nobody listens.
	gone := false
	for deadline := time.Now().Add(20 * time.Second); !gone && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		gone = !alive(worker)
	}
	if !gone {
		t.Fatalf("worker %d outlives its collector", worker)
	}
	// The next collect works, and says what became of the other's run in each
	// format.
	next := b.collect(1, "--format", "sllm")
	next.ends(exitDone)
	if got := b.sql("select status, count(*) from runs group by all order by all"); got != "completed,1\nlost,2" {
		t.Fatalf("runs: %s", got)
	}
	if !strings.Contains(next.stderr.String(), "2 runs of a collector that died are marked lost") {
		t.Fatalf("no note about the lost runs:\n%s", next.stderr.String())
	}
}

// alive reports whether a process exists and is not a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestKilledWorkerIsARow(t *testing.T) {
	b := newBench(t)
	c := b.collect(40)
	b.waitForLoads(3)
	if err := syscall.Kill(c.worker(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.ends(exitPartial)
	if n := b.number("select count(*) from loads where error like '%signal 9%' or error like '%killed%'"); n != 1 {
		t.Fatalf("%d loads say that their worker was killed: %s", n, b.sql("select error from loads where error is not null"))
	}
	// The other format ran to its end: a warm-up and what was counted.
	if n := b.number("select count(*) from load_facts where format = 'sllm' and error is null"); n != 41 {
		t.Fatalf("%d loads of the other format, want 41", n)
	}
	if n := b.number("select count(*) from runs where status = 'running'"); n != 0 {
		t.Fatalf("%d runs have no end", n)
	}
}

func TestWorkerKilledWhileGeneratingKeepsItsLoad(t *testing.T) {
	b := newBench(t)
	c := b.collect(2, "--format", "sllm", "--inference", "all", "--max-new-tokens", "500")
	b.waitForLoads(1)
	// A load takes a tenth of a second here, the text that follows many.
	time.Sleep(1500 * time.Millisecond)
	if err := syscall.Kill(c.worker(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.ends(exitPartial)
	if got := b.sql("select l.error is null, l.loading_time_s > 0, i.error like '%signal 9%', i.output_tokens from loads l join inferences i using (run_id, seq) where i.error is not null"); got != "true,true,true," {
		t.Fatalf("the load whose text was cut short: %q", got)
	}
	if n := b.number("select count(*) from load_facts where error is null and output_tokens = 500"); n != 2 {
		t.Fatalf("%d loads have their text, want 2", n)
	}
}

func TestKilledConversionIsRedone(t *testing.T) {
	b := newBench(t)
	// A model of float32 in a folder, which is converted to float16.
	made := b.command("collect", "--model-name", "synthetic/opt-125m", "--dtype", "float32", "--format", "safetensors", "--num-replicas", "1",
		"--storage-path", "models", "--loader", "raw", "--verify", "none", "--no-roofline")
	if out, err := made.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	model := "./" + filepath.Join("models", "synthetic", "opt-125m", "float32", "safetensors", "0")
	convert := func() *collect {
		c := &collect{bench: b, cmd: b.command("collect", "--model-name", model, "--num-replicas", "1", "--storage-path", "converted", "--inference", "none", "--no-roofline", "--verify", "all")}
		c.cmd.Stderr, c.cmd.Stdout = &c.stderr, &c.stderr
		if err := c.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.cmd.Process.Kill() })
		return c
	}
	for _, format := range []string{"safetensors", "sllm"} {
		c := convert()
		begun := filepath.Join(b.dir, "converted", "local", "*", "float16", format, ".tmp-0", "*")
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if found, _ := filepath.Glob(begun); len(found) > 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("no conversion to %s began:\n%s", format, c.stderr.String())
			}
		}
		time.Sleep(30 * time.Millisecond)
		if err := c.cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.ends(-1)
		if whole, _ := filepath.Glob(filepath.Join(b.dir, "converted", "local", "*", "float16", format, "0", "sllmq.json")); len(whole) > 0 {
			t.Fatalf("the conversion to %s ended before it was killed", format)
		}
	}
	convert().ends(exitDone)
	if got := b.sql("select format, verified, error is null from load_facts where model like '%/float32/safetensors/0' and not warmup order by format"); got != "safetensors,true,true\nsllm,true,true" {
		t.Fatalf("after the kills: %s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, "converted", "local", "*", "float16", "*", ".tmp-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAnInterruptKeepsWhatWasMeasured(t *testing.T) {
	b := newBench(t)
	c := b.collect(10_000)
	b.waitForLoads(3)
	before := b.number("select count(*) from loads")
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	c.ends(exitInterrupted)
	if n := b.number("select count(*) from loads"); n < before {
		t.Fatalf("%d loads were there before the interrupt, %d are after it", before, n)
	}
	if got := b.sql("select distinct status from runs"); got != "interrupted" {
		t.Fatalf("the runs are %q", got)
	}
	// What was measured is summed up all the same.
	if out := c.stderr.String(); !strings.Contains(out, "SafeTensors mmap-parallel") || !strings.Contains(out, "sllmq: interrupted") {
		t.Fatalf("the end of its output:\n%s", out)
	}
}

func TestKeepAliveWaitsForASignal(t *testing.T) {
	b := newBench(t)
	c := b.collect(1, "--format", "sllm", "--keep-alive")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(b.dir, defaultWarehouse)); err == nil && b.number("select count(*) from runs where status = 'completed'") == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no run was completed within a minute")
		}
	}
	time.Sleep(300 * time.Millisecond)
	if !alive(c.cmd.Process.Pid) {
		t.Fatal("it did not wait")
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.ends(exitDone)
	if !strings.Contains(c.stderr.String(), "waiting for a signal") {
		t.Errorf("it does not say that it waits:\n%s", c.stderr.String())
	}
}

// Every query that this test runs beside the collectors must succeed: see bench.sql.
func TestCollectorsAndReadersShareAWarehouse(t *testing.T) {
	b := newBench(t)
	b.collect(1).ends(exitDone) // so that the replicas are there
	var collectors sync.WaitGroup
	done := make(chan struct{})
	first, second := b.collect(25), b.collect(25, "--seed", "1")
	for _, c := range []*collect{first, second} {
		collectors.Go(func() { _ = c.cmd.Wait() })
	}
	go func() { collectors.Wait(); close(done) }()
	asked, last := 0, 0
	for running := true; running; asked++ {
		n := b.number("select count(*) from load_facts")
		if n < last {
			t.Fatalf("%d loads were there, then %d", last, n)
		}
		last = n
		select {
		case <-done:
			running = false
		default:
		}
	}
	for _, c := range []*collect{first, second} {
		if code := c.cmd.ProcessState.ExitCode(); code != exitDone {
			t.Fatalf("exit code %d:\n%s", code, c.stderr.String())
		}
	}
	if asked < 5 {
		t.Fatalf("only %d queries", asked)
	}
	if n := b.number("select count(*) from loads where error is null"); n != 2*2+2*2*26 {
		t.Fatalf("%d loads, want %d", n, 2*2+2*2*26)
	}
}

// TestReaderThatStopsReading: a query whose output is closed ends quietly, and a
// benchmark whose standard error is closed continues.
func TestReaderThatStopsReading(t *testing.T) {
	b := newBench(t)
	// closed runs a command and reads of a stream of its no more than its beginning.
	closed := func(cmd *exec.Cmd, stream *io.Writer, other *io.Writer) string {
		t.Helper()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		*stream, *other = w, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_, readErr := r.Read(make([]byte, 1))
		if err := errors.Join(readErr, w.Close(), r.Close()); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, said.String())
		}
		return said.String()
	}
	collect := b.command("collect", "--model-name", "synthetic/opt-125m", "--num-replicas", "1", "--format", "sllm", "--storage-path", "models", "--inference", "none", "--no-roofline")
	if out := closed(collect, &collect.Stderr, &collect.Stdout); !strings.Contains(out, "synthetic/opt-125m") {
		t.Errorf("no summary: %s", out)
	}
	if got := b.sql("select count(*), min(status) from runs join loads using (run_id)"); got != "1,completed" {
		t.Errorf("runs: %s", got)
	}
	sql := b.command("sql", "--format", "csv", "from range(10000000)")
	if said := closed(sql, &sql.Stdout, &sql.Stderr); said != "" {
		t.Errorf("it complains: %s", said)
	}
}
