package collector_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/warehouse/record"
)

// talker is a local folder with a model that transformers wrote, and a tokenizer
// with one token per character.
func talker(t *testing.T, fixture string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), fixture)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("inference", "testdata", fixture))); err != nil {
		t.Fatal(err)
	}
	vocab := map[string]int{}
	for c := ' '; c <= '~'; c++ {
		vocab[string(c)] = 3 + int(c-' ')
	}
	text, err := json.Marshal(map[string]any{"version": "1.0", "added_tokens": []string{}, "model": map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{}}, "decoder": map[string]any{"type": "Fuse"}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "tokenizer.json"), text)
	return dir
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAllFormatsAndLoadersGenerateTheSameText(t *testing.T) {
	for _, fixture := range []string{"opt", "llama-3", "gemma2"} {
		t.Run(fixture, func(t *testing.T) {
			c := config(t, talker(t, fixture))
			c.Loaders = []string{"mmap", "mmap-parallel", "pool", "raw"}
			c.Replicas = 2
			c.NewTokens = 9
			var sink memory
			result, progress := run(t, t.Context(), c, &sink)
			if result.Failed != 0 {
				t.Fatalf("%+v: %v", result, progress.notes)
			}
			// raw keeps no tensors: three of its four arms do.
			if want := 3 * (2 + 3); len(sink.Inferences) != want {
				t.Fatalf("%d inferences, want %d", len(sink.Inferences), want)
			}
			for _, i := range sink.Inferences {
				if i.Error != nil || i.Unsupported != nil {
					t.Fatalf("seq %d: %v %v", i.Seq, i.Error, i.Unsupported)
				}
				if *i.TokenIDsSHA256 != *sink.Inferences[0].TokenIDsSHA256 || len(*i.TokenIDsSHA256) != 64 {
					t.Errorf("seq %d: tokens %s, want %s", i.Seq, *i.TokenIDsSHA256, *sink.Inferences[0].TokenIDsSHA256)
				}
				var times []float64
				if err := json.Unmarshal([]byte(*i.TokenTimesS), &times); err != nil {
					t.Fatal(err)
				}
				sum := 0.0
				for _, s := range times {
					sum += s
				}
				if *i.InputTokens != 44 || *i.OutputTokens != 9 || len(times) != 9 || sum > *i.EndToEndTimeS*1.000001 || sum < *i.EndToEndTimeS*0.999999 ||
					times[0] != *i.TimeToFirstTokenS || !strings.HasPrefix(*i.OutputText, c.Prompt) {
					t.Errorf("seq %d: %d and %d tokens in %v s, %v, %q", i.Seq, *i.InputTokens, *i.OutputTokens, *i.EndToEndTimeS, times, *i.OutputText)
				}
				if got, want := *i.ThroughputTokensS, 53 / *i.EndToEndTimeS; got < want*0.999 || got > want*1.001 {
					t.Errorf("seq %d: %v tokens/s, want %v", i.Seq, got, want)
				}
			}
		})
	}
}

func TestDifferentTokensAreAnError(t *testing.T) {
	c := config(t, talker(t, "opt"))
	c.BenchmarkTypes = []string{collector.Random}
	c.Replicas = 2
	c.Verify = collector.VerifyNone
	c.DType = "auto"
	var sink memory
	if result, _ := run(t, t.Context(), c, &sink); result.Failed != 0 {
		t.Fatalf("%+v", result)
	}
	files, err := filepath.Glob(filepath.Join(c.StoragePath, "local", "*", "*", "sllm", "1", "tensor.data_0"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	damaged := make([]byte, info.Size())
	for i := range damaged {
		damaged[i] = byte(i%3) << 4 // small numbers
	}
	write(t, files[0], damaged)

	sink = memory{}
	result, progress := run(t, t.Context(), c, &sink)
	if result.Failed != 1 {
		t.Fatalf("%+v: %v", result, progress.notes)
	}
	var wrong []record.Inference
	for _, i := range sink.Inferences {
		if i.Error != nil {
			wrong = append(wrong, i)
		}
	}
	if len(wrong) != 1 || !strings.Contains(*wrong[0].Error, "token IDs differ from those") || wrong[0].TokenIDsSHA256 == nil {
		t.Fatalf("wrong ones: %+v", wrong)
	}
	if !strings.Contains(strings.Join(progress.notes, "\n"), "token IDs differ from those") {
		t.Errorf("no note: %v", progress.notes)
	}
	for _, end := range sink.RunEnds {
		if end.RunID == wrong[0].RunID && end.Status != record.StatusFailed {
			t.Errorf("the run ended as %s", end.Status)
		}
	}
}

// TestLoadsWithoutText: loads succeed although no text can be generated.
func TestLoadsWithoutText(t *testing.T) {
	for _, test := range []struct {
		name, want string
		change     func(dir string)
	}{
		{"architecture", `not supported for architecture "FalconForCausalLM"`, func(dir string) {
			write(t, filepath.Join(dir, "config.json"), []byte(`{"architectures":["FalconForCausalLM"],"model_type":"falcon"}`))
		}},
		{"no config", "config.json", func(dir string) { os.Remove(filepath.Join(dir, "config.json")) }},
		{"no tokenizer", "neither tokenizer.json", func(dir string) { os.Remove(filepath.Join(dir, "tokenizer.json")) }},
		{"other tokenizer", `"Unigram" is not supported`, func(dir string) {
			write(t, filepath.Join(dir, "tokenizer.json"), []byte(`{"model":{"type":"Unigram"}}`))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := talker(t, "opt")
			test.change(dir)
			c := config(t, dir)
			c.BenchmarkTypes = []string{collector.Random}
			c.DType = "auto"
			var sink memory
			result, progress := run(t, t.Context(), c, &sink)
			if result.Failed != 0 || len(sink.Loads) != 6 || len(sink.Inferences) != 6 {
				t.Fatalf("%+v, %d loads, %d inferences: %v", result, len(sink.Loads), len(sink.Inferences), progress.notes)
			}
			for _, i := range sink.Inferences {
				if i.Unsupported == nil {
					t.Fatalf("%+v", i)
				}
				if i.Error != nil || !strings.Contains(*i.Unsupported, test.want) || i.EndToEndTimeS != nil {
					t.Errorf("%v, unsupported: %v", i.Error, *i.Unsupported)
				}
			}
			if n := strings.Count(strings.Join(progress.notes, "\n"), "no text is generated"); n != 2 {
				t.Errorf("%d notes, want one per run: %v", n, progress.notes)
			}
		})
	}
}

func TestWhichLoadsGenerate(t *testing.T) {
	for _, test := range []struct {
		which string
		want  int
	}{{collector.InferenceFirst, 2 * 2}, {collector.InferenceNone, 0}} {
		c := config(t, talker(t, "opt"))
		c.BenchmarkTypes = []string{collector.Cached}
		c.Sessions = 2
		c.Inference = test.which
		var sink memory
		result, progress := run(t, t.Context(), c, &sink)
		if result.Failed != 0 || len(sink.Inferences) != test.want {
			t.Errorf("%s: %d inferences, want %d (%v)", test.which, len(sink.Inferences), test.want, progress.notes)
		}
	}
}

// TestSampledTokensDependOnTheSeed: all loads with one seed give the same tokens.
func TestSampledTokensDependOnTheSeed(t *testing.T) {
	dir := talker(t, "opt")
	said := map[string]bool{}
	for seed := range int64(2) {
		c := config(t, dir)
		c.BenchmarkTypes = []string{collector.Random}
		c.Temperature, c.TopP, c.Seed = 1.5, 0.9, seed
		var sink memory
		result, progress := run(t, t.Context(), c, &sink)
		if result.Failed != 0 {
			t.Fatalf("seed %d: %v", seed, progress.notes)
		}
		i := sink.Inferences[0]
		if i.Seed == nil || *i.Seed != seed || *i.Temperature != 1.5 || *i.TopP != 0.9 {
			t.Errorf("seed %d: %+v", seed, i)
		}
		said[*i.TokenIDsSHA256] = true
	}
	if len(said) != 2 {
		t.Errorf("two seeds gave %d texts", len(said))
	}
}
