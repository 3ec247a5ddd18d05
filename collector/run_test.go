package collector_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/checkpoint/filetest"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

// The test binary is also the worker: with this variable set it serves.
const serves = "SLLMQ_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(serves) == "" {
		os.Exit(m.Run())
	}
	if os.Getenv(denies) != "" {
		denyRings()
	}
	if mark := os.Getenv(deafens); mark != "" {
		beDeaf(mark)
	}
	if err := worker.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// memory is a sink that keeps the rows, and calls then after each batch.
type memory struct {
	mu sync.Mutex
	record.Batch
	then func(record.Batch)
}

func (m *memory) Append(_ context.Context, b record.Batch) error {
	m.mu.Lock()
	m.Machines = append(m.Machines, b.Machines...)
	m.Runs = append(m.Runs, b.Runs...)
	m.Sessions = append(m.Sessions, b.Sessions...)
	m.Loads = append(m.Loads, b.Loads...)
	m.Stages = append(m.Stages, b.Stages...)
	m.Samples = append(m.Samples, b.Samples...)
	m.IOTraces = append(m.IOTraces, b.IOTraces...)
	m.Rooflines = append(m.Rooflines, b.Rooflines...)
	m.Inferences = append(m.Inferences, b.Inferences...)
	m.RunEnds = append(m.RunEnds, b.RunEnds...)
	m.mu.Unlock()
	if m.then != nil {
		m.then(b)
	}
	return nil
}

type silent struct{ notes []string }

func (*silent) Begin(string, int64, collector.Unit) {}
func (*silent) Add(int64)                           {}
func (*silent) End()                                {}
func (s *silent) Note(line string)                  { s.notes = append(s.notes, line) }

func host(t *testing.T) collector.Program {
	t.Helper()
	t.Setenv(serves, "1")
	return collector.Program{WorkerCommand: []string{os.Args[0]}, Version: "test", CommandLine: "test"}
}

// tiny is a local folder with a small safetensors checkpoint of two files and
// an odd size.
func tiny(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	writeSafeTensors(t, filepath.Join(dir, "a.safetensors"), "a", 300_001)
	writeSafeTensors(t, filepath.Join(dir, "b.safetensors"), "b", 77)
	return dir
}

func writeSafeTensors(t *testing.T, path, name string, elements int) {
	t.Helper()
	header := fmt.Sprintf(`{%q:{"dtype":"F16","shape":[%d],"data_offsets":[0,%d]}}`, name, elements, 2*elements)
	data := make([]byte, 2*elements)
	for i := range data {
		data[i] = byte(i * 31 >> 3)
	}
	if err := os.WriteFile(path, filetest.SafeTensors(header, data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func config(t *testing.T, model string) collector.Request {
	t.Helper()
	c := collector.DefaultRequest()
	c.Models = []string{model}
	c.BenchmarkTypes = []string{collector.Random, collector.Cached}
	c.StoragePath = filepath.Join(t.TempDir(), "models")
	c.Replicas = 3
	c.Roofline = false
	c.PoolBytes, c.PoolFixed = 64<<20, true
	c.ChunkBytes = 1 << 20
	return c
}

// planned resolves and plans a request.
func planned(t *testing.T, c collector.Request) (collector.Plan, error) {
	t.Helper()
	found, err := collector.Resolve(t.Context(), c, collector.ResolveOptions{Progress: &silent{}})
	if err != nil {
		return collector.Plan{}, err
	}
	t.Cleanup(func() {
		if err := found.Close(); err != nil {
			t.Error(err)
		}
	})
	return found.Plan()
}

func run(t *testing.T, ctx context.Context, c collector.Request, sink *memory) (collector.Result, *silent) {
	t.Helper()
	p, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	progress := &silent{}
	result, err := collector.Run(ctx, p, sink, progress, host(t))
	if err != nil {
		t.Fatal(err)
	}
	return result, progress
}

func TestBenchmarkRecordsEveryRow(t *testing.T) {
	c := config(t, tiny(t))
	c.Sessions = 2
	c.Loaders = []string{"mmap", "mmap-parallel", "pinned", "direct", "pool", "raw"}
	c.Verify = collector.VerifyAll
	var sink memory
	result, _ := run(t, t.Context(), c, &sink)

	// Eight arms (raw and direct load both formats), two types, two sessions.
	const arms = 8
	if want := arms * 2 * (3 + 4); result.Loads != want || len(sink.Loads) != want || result.Failed != 0 {
		t.Fatalf("%+v with %d rows, want %d loads and no failure", result, len(sink.Loads), want)
	}
	if len(sink.Runs) != 2*arms || len(sink.RunEnds) != 2*arms || len(sink.Sessions) != 4*arms {
		t.Errorf("%d runs, %d ends, %d sessions", len(sink.Runs), len(sink.RunEnds), len(sink.Sessions))
	}
	for _, end := range sink.RunEnds {
		if end.Status != record.StatusCompleted {
			t.Errorf("run %s ended %s", end.RunID, end.Status)
		}
	}
	runs := map[string]record.Run{}
	for _, r := range sink.Runs {
		runs[r.ID] = r
	}
	replicas := map[string]map[int64]int{}
	seqs := map[string]int64{}
	for _, l := range sink.Loads {
		r := runs[l.RunID]
		name := fmt.Sprintf("%s %s %s load %d", r.BenchmarkType, r.Format, r.Loader, l.Seq)
		if l.Seq != seqs[l.RunID] {
			t.Errorf("%s: want %d next", name, seqs[l.RunID])
		}
		seqs[l.RunID]++
		if l.LoadingTimeS == nil || *l.LoadingTimeS <= 0 || *l.Bytes != 2*300_078 || *l.Tensors != 2 {
			t.Errorf("%s: %+v", name, l)
		}
		if checked := l.Verified != nil; checked != (r.Loader != "raw") || checked && !*l.Verified {
			t.Errorf("%s: verified %v", name, l.Verified)
		}
		if l.Warmup != (r.BenchmarkType == collector.Cached && l.Seq%4 == 0) {
			t.Errorf("%s: warm-up %v", name, l.Warmup)
		}
		if hit := l.PoolHit != nil && *l.PoolHit; hit != (r.Loader == "pool" && r.BenchmarkType == collector.Cached && !l.Warmup) {
			t.Errorf("%s: pool hit %v", name, hit)
		}
		if r.BenchmarkType == collector.Random {
			if replicas[l.RunID] == nil {
				replicas[l.RunID] = map[int64]int{}
			}
			replicas[l.RunID][l.Replica]++
		}
	}
	for id, seen := range replicas {
		if len(seen) != 3 || seen[0] != 2 || seen[1] != 2 || seen[2] != 2 {
			t.Errorf("run %s loaded replicas %v", id, seen)
		}
	}
}

func TestFormatsTakeTurnsBySession(t *testing.T) {
	c := config(t, tiny(t))
	c.BenchmarkTypes = []string{collector.Random}
	c.Sessions = 2
	c.Replicas = 1
	var sink memory
	run(t, t.Context(), c, &sink)
	var order []string
	for _, l := range sink.Loads {
		for _, r := range sink.Runs {
			if r.ID == l.RunID {
				order = append(order, fmt.Sprint(r.Format, l.Session))
			}
		}
	}
	if got, want := strings.Join(order, " "), "safetensors0 sllm0 safetensors1 sllm1"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
}

func TestDefaultPoolIsReducedWithANote(t *testing.T) {
	c := config(t, tiny(t))
	c.PoolBytes, c.PoolFixed = 1<<50, false
	p, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(p.Notes, "; "); !strings.Contains(notes, "pool reduced to ") {
		t.Errorf("notes %q", notes)
	}
	c.PoolFixed = true
	if _, err := planned(t, c); err == nil || !strings.Contains(err.Error(), "PoolBytes: 1024TB is more than") {
		t.Errorf("%v", err)
	}
}

func TestBadReplicaIsARowAndTheRunContinues(t *testing.T) {
	c := config(t, tiny(t))
	c.BenchmarkTypes = []string{collector.Random}
	var first memory
	run(t, t.Context(), c, &first)

	p, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, made := range p.Checkpoints {
		name := map[string]string{"safetensors": "model.safetensors", "sllm": "tensor.data_0"}[string(made.Format)]
		flipByte(t, filepath.Join(made.Dirs[1], name), 5000)
	}
	var sink memory
	result, progress := run(t, t.Context(), c, &sink)
	if result.Loads != 6 || result.Failed != 2 {
		t.Fatalf("%+v, want 6 loads of which 2 failed; notes %q", result, progress.notes)
	}
	for _, l := range sink.Loads {
		if failed := l.Error != nil; failed != (l.Replica == 1) || failed && !strings.Contains(*l.Error, `checksum`) {
			t.Errorf("replica %d: error %v", l.Replica, l.Error)
		}
	}
}

func flipByte(t *testing.T, path string, offset int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, offset); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b, offset); err != nil {
		t.Fatal(err)
	}
}

func TestAnInterruptKeepsWhatWasMeasured(t *testing.T) {
	c := config(t, tiny(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sink := memory{then: func(b record.Batch) {
		if len(b.Loads) > 0 && b.Loads[0].Seq == 1 {
			cancel()
		}
	}}
	result, _ := run(t, ctx, c, &sink)
	if !result.Interrupted || len(sink.Loads) != 2 {
		t.Errorf("%+v with %d loads, want 2 and an interruption", result, len(sink.Loads))
	}
	if len(sink.RunEnds) != len(sink.Runs) || len(sink.Runs) == 0 {
		t.Fatalf("%d runs and %d ends", len(sink.Runs), len(sink.RunEnds))
	}
	for _, end := range sink.RunEnds {
		if end.Status != record.StatusInterrupted {
			t.Errorf("a run ended %s", end.Status)
		}
	}
}

func TestWorkerThatCannotStartIsARow(t *testing.T) {
	c := config(t, tiny(t))
	c.BenchmarkTypes = []string{collector.Random}
	p, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	var sink memory
	result, err := collector.Run(t.Context(), p, &sink, &silent{}, collector.Program{WorkerCommand: []string{"/bin/false"}})
	if err != nil {
		t.Fatal(err)
	}
	if result.Failed != 2 || len(sink.Loads) != 2 || !strings.Contains(*sink.Loads[0].Error, "loads skipped: 3") {
		t.Errorf("%+v, loads %+v", result, sink.Loads)
	}
}

func TestImpossiblePlans(t *testing.T) {
	for want, change := range map[string]func(*collector.Request){
		"more than the":             func(c *collector.Request) { c.PoolBytes = 1 << 50 },
		"of pool in chunks":         func(c *collector.Request) { c.PoolBytes = 512 << 10; c.ChunkBytes = 64 << 10 },
		"no such file":              func(c *collector.Request) { c.Models = []string{"./nowhere"} },
		"was not downloaded":        func(c *collector.Request) { c.Models = []string{"facebook/opt-6.7b"} },
		"unknown model synthetic/x": func(c *collector.Request) { c.Models = []string{"synthetic/x"} },
		`unknown value "warm"`:      func(c *collector.Request) { c.BenchmarkTypes = []string{"warm"} },
		"unknown loader":            func(c *collector.Request) { c.Loaders = []string{"fast"} },
		`from_pretrained belongs to engine transformers`: func(c *collector.Request) { c.Loaders = []string{"from_pretrained"} },
		`unknown value "pickle"`:                         func(c *collector.Request) { c.Formats = []string{"pickle"} },
		"mmap loads safetensors, not sllm":               func(c *collector.Request) { c.Formats = []string{"sllm"}; c.Loaders = []string{"pool", "mmap"} },
		"none of mmap loads sllm":                        func(c *collector.Request) { c.Formats = []string{"sllm"}; c.Loaders = []string{"mmap"} },
		"device":                                         func(c *collector.Request) { c.Devices = []string{"cuda:0"} },
		"twice":                                          func(c *collector.Request) { c.Devices = []string{"host", "host"} },
		"Replicas: 0 is not between":                     func(c *collector.Request) { c.Replicas = 0 },
		"ChunkBytes: ":                                   func(c *collector.Request) { c.ChunkBytes = 5000 },
		"cannot convert tensor":                          func(c *collector.Request) { c.DType = "int8" },
		"reduce the number of replicas to": func(c *collector.Request) {
			c.Models = []string{"synthetic/opt-125m"}
			c.Replicas = 5000
			c.Loaders = []string{"raw"}
		},
		"needs": func(c *collector.Request) {
			c.Models = []string{"synthetic/qwen3-32b"}
			c.PoolFixed = false
			c.PoolBytes = 1 << 50
		},
	} {
		c := config(t, tiny(t))
		change(&c)
		_, err := planned(t, c)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one line with %q", err, want)
		}
		if _, err := os.Stat(c.StoragePath); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the plan wrote something", want)
		}
	}
}

func TestPrepareStopsSoonAfterCancellation(t *testing.T) {
	c := config(t, "synthetic/opt-125m")
	c.PoolBytes = 2 << 30
	p, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	result, err := collector.Run(ctx, p, &memory{}, &silent{}, host(t))
	if err != nil || !result.Interrupted {
		t.Errorf("%+v, %v", result, err)
	}
	left, err := filepath.Glob(filepath.Join(c.StoragePath, "*", "*", "*", "*", "[.0-9]*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if filepath.Base(path) != ".lock" {
			t.Errorf("%s is left behind", path)
		}
	}
}

// TestFailedAppendEndsTheWorker: if rows cannot be kept, the benchmark and its
// worker end.
func TestFailedAppendEndsTheWorker(t *testing.T) {
	c := config(t, tiny(t))
	c.BenchmarkTypes, c.Formats, c.Inference = []string{collector.Random}, []string{"sllm"}, collector.InferenceNone
	plan, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	sink := refusing{refuses: full}
	result, err := collector.Run(t.Context(), plan, &sink, &silent{}, host(t))
	if !errors.Is(err, full) || result.Loads != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	if len(sink.Sessions) != 1 || machine.Alive(*sink.Sessions[0].PID) {
		t.Errorf("one of %d workers still runs", len(sink.Sessions))
	}
}

// refusing is a sink that accepts everything but loads.
type refusing struct {
	memory
	refuses error
}

func (s *refusing) Append(ctx context.Context, b record.Batch) error {
	if len(b.Loads) > 0 {
		return s.refuses
	}
	return s.memory.Append(ctx, b)
}
