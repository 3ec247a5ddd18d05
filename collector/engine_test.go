package collector_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/warehouse/record"
)

// onPython requests both engines, with fake packages.
func onPython(t *testing.T, model string) collector.Request {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 is installed")
	}
	path, err := filepath.Abs("worker/testdata/standins")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PYTHONPATH", path)
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	c := config(t, model)
	c.Engines, c.Python = []string{collector.EngineNative, collector.EngineTransformers}, python
	return c
}

func TestEnginesTakeTurnsAndRecordTheSameColumns(t *testing.T) {
	dir := tiny(t)
	write(t, filepath.Join(dir, "config.json"), []byte(`{"model_type":"opt"}`))
	write(t, filepath.Join(dir, "tokenizer.json"), []byte(`{}`))
	c := onPython(t, dir)
	c.Sessions = 2
	c.Formats = []string{"safetensors"}
	var sink memory
	result, progress := run(t, t.Context(), c, &sink)
	if want := 2 * 2 * (3 + 4); result.Loads != want || result.Failed != 0 {
		t.Fatalf("%+v, want %d loads and no failure: %v", result, want, progress.notes)
	}
	engines := map[string]string{}
	for _, r := range sink.Runs {
		engines[r.ID] = r.Engine
		switch {
		case r.Engine == collector.EngineTransformers:
			if r.Loader != "from_pretrained" || r.Packages["torch"] == "" || r.Packages["python"] == "" {
				t.Errorf("%s by %s with %v", r.Engine, r.Loader, r.Packages)
			}
		case r.Loader != "mmap-parallel" || len(r.Packages) > 0:
			t.Errorf("%s by %s with %v", r.Engine, r.Loader, r.Packages)
		}
	}
	if len(sink.Runs) != 4 || len(sink.Sessions) != 8 {
		t.Errorf("%d runs, %d sessions", len(sink.Runs), len(sink.Sessions))
	}
	var turns []string
	for _, s := range sink.Sessions {
		turns = append(turns, engines[s.RunID])
	}
	if n, f := collector.EngineNative, collector.EngineTransformers; !slices.Equal(turns, []string{n, f, n, f, n, f, n, f}) {
		t.Errorf("sessions by %v", turns)
	}
	for _, l := range sink.Loads {
		if l.LoadingTimeS == nil || *l.Bytes != 2*(300_001+77) || l.SourceTier == nil || l.CPUUserS == nil || l.StorageReadBytes == nil || l.DeviceMemoryAfterBytes == nil {
			t.Errorf("%s: %+v", engines[l.RunID], l)
		}
	}
	texts := 0
	for _, i := range sink.Inferences {
		if engines[i.RunID] != collector.EngineTransformers {
			continue
		}
		texts++
		if i.Error != nil || i.OutputText == nil || !strings.HasPrefix(*i.OutputText, c.Prompt+"blah") || *i.OutputTokens != int64(c.NewTokens) {
			t.Errorf("%+v", i)
		}
	}
	if texts != 2*(3+4) {
		t.Errorf("%d texts by transformers", texts)
	}
}

// One replica kills the worker that loads it.
func TestDeadPythonWorkerIsARow(t *testing.T) {
	dir := tiny(t)
	write(t, filepath.Join(dir, "config.json"), []byte(`{"model_type":"opt"}`))
	c := onPython(t, dir)
	c.Engines, c.BenchmarkTypes = []string{collector.EngineTransformers}, []string{collector.Random}
	p, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	sink := memory{then: func(b record.Batch) {
		if len(b.Runs) > 0 { // the replicas are there now
			write(t, filepath.Join(p.Checkpoints[0].Dirs[1], "trouble"), []byte("killed"))
		}
	}}
	result, progress := run(t, t.Context(), c, &sink)
	if result.Loads != 3 || result.Failed != 1 {
		t.Fatalf("%+v: %v", result, progress.notes)
	}
	for _, l := range sink.Loads {
		switch failed := l.Replica == 1; {
		case failed && (l.Error == nil || !strings.Contains(*l.Error, "signal 9")):
			t.Errorf("the killed worker's row: %+v", l)
		case !failed && (l.Error != nil || l.LoadingTimeS == nil):
			t.Errorf("another worker's row: %+v", l)
		}
	}
	if end := sink.RunEnds[0]; end.Status != record.StatusFailed {
		t.Errorf("the run ended as %s", end.Status)
	}
}

func TestEnginesAreChecked(t *testing.T) {
	for _, test := range []struct {
		change func(*collector.Request)
		want   string
	}{
		{func(c *collector.Request) { c.Engines = []string{"vllm"} }, `Engines: unknown value "vllm": use native or transformers`},
		{func(c *collector.Request) { c.Engines = nil }, "Engines: is empty"},
		{func(c *collector.Request) { c.Engines = []string{"native"}; c.Loaders = []string{"from_pretrained"} }, "from_pretrained belongs to engine transformers: add that engine"},
		{func(c *collector.Request) { c.Engines = []string{"transformers"}; c.Loaders = []string{"pool"} }, "pool belongs to engine native: add that engine"},
		{func(c *collector.Request) { c.Engines = []string{"transformers"}; c.Loaders = []string{"nonesuch"} }, "use one of from_pretrained, store"},
		{func(c *collector.Request) { c.Engines = []string{"transformers"}; c.Formats = []string{"sllm"} }, "to GPUs only"},
	} {
		c := onPython(t, tiny(t))
		test.change(&c)
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
	c := onPython(t, tiny(t))
	// On the host, both formats mean what can be had there.
	p, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	var arms []string
	for _, run := range p.Groups[0] {
		arms = append(arms, run.Arm.Engine+" "+run.Arm.Loader)
	}
	if want := []string{"native mmap-parallel", "transformers from_pretrained", "native pool"}; !slices.Equal(arms, want) {
		t.Errorf("arms %v, want %v", arms, want)
	}
}

// TestRealTransformers is `make engine-test`: real torch and transformers on
// the CPU, with tiny checkpoints that they wrote, beside the native engine. In
// float32 both generate the same text.
func TestRealTransformers(t *testing.T) {
	python := os.Getenv("SLLMQ_ENGINE_PYTHON")
	if python == "" {
		t.Skip("needs a Python with torch and transformers: see make engine-test")
	}
	for _, fixture := range []string{"opt", "opt-350m", "llama", "llama-3", "mistral", "qwen2", "qwen3", "gemma2"} {
		t.Run(fixture, func(t *testing.T) {
			dir := talker(t, fixture)
			write(t, filepath.Join(dir, "tokenizer_config.json"), []byte(`{"tokenizer_class":"PreTrainedTokenizerFast"}`))
			c := config(t, dir)
			c.Engines, c.Python = []string{collector.EngineNative, collector.EngineTransformers}, python
			c.Prompt = "Thequickbrownfox" // transformers has its own mind about spaces in qwen2
			c.Formats, c.DType, c.Verify = []string{"safetensors"}, "float32", collector.VerifyAll
			c.BenchmarkTypes, c.Replicas, c.NewTokens = []string{collector.Cached}, 1, 9
			var sink memory
			result, progress := run(t, t.Context(), c, &sink)
			if result.Failed != 0 || result.Loads != 2*2 {
				t.Fatalf("%+v: %v", result, progress.notes)
			}
			for _, l := range sink.Loads {
				if l.Verified == nil || !*l.Verified {
					t.Errorf("load %d of run %s was not verified", l.Seq, l.RunID)
				}
			}
			for _, i := range sink.Inferences {
				if i.Error != nil || i.Unsupported != nil || i.TokenIDsSHA256 == nil {
					t.Fatalf("seq %d: error %q, unsupported %q", i.Seq, said(i.Error), said(i.Unsupported))
				}
				if *i.TokenIDsSHA256 != *sink.Inferences[0].TokenIDsSHA256 {
					t.Errorf("run %s seq %d: of %d tokens %q, the first load of %d %q", i.RunID, i.Seq, *i.InputTokens, *i.OutputText, *sink.Inferences[0].InputTokens, *sink.Inferences[0].OutputText)
				}
			}
			if len(sink.Inferences) != result.Loads {
				t.Errorf("%d texts for %d loads", len(sink.Inferences), result.Loads)
			}
		})
	}
}

func said(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
