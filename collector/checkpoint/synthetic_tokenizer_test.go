package checkpoint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sllmq/sllmq/collector/inference/tokenizer"
)

// TestTinyTokenizer opens the tokenizer of each synthetic model as inference
// does, and encodes and decodes text. SLLMQ_TEST_TOKENIZERS may name a folder to
// keep the tokenizers in, for other judges.
func TestTinyTokenizer(t *testing.T) {
	root := os.Getenv("SLLMQ_TEST_TOKENIZERS")
	if root == "" {
		root = t.TempDir()
	}
	for _, s := range catalogue() {
		files, err := s.sidecars(BFloat16)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(root, s.name)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(dir, f.name), f.data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		var config struct {
			ModelType string `json:"model_type"`
			Vocab     int    `json:"vocab_size"`
			BOS       int32  `json:"bos_token_id"`
			EOS       int32  `json:"eos_token_id"`
		}
		if err := json.Unmarshal(files[0].data, &config); err != nil {
			t.Fatal(err)
		}
		tok, err := tokenizer.Open(dir)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		bos, hasBOS := tok.BOS()
		eos, hasEOS := tok.EOS()
		if !hasBOS || !hasEOS || bos != config.BOS || eos != config.EOS || tok.Size() > config.Vocab {
			t.Errorf("%s: BOS %d, EOS %d, %d IDs; config.json has %d, %d and %d", s.name, bos, eos, tok.Size(), config.BOS, config.EOS, config.Vocab)
		}
		const text = " Any text:\n\t\u00e9, 模型, \U0001f600 and \x00."
		ids, err := tok.Encode(text, true)
		if err != nil || len(ids) < len(text) || tok.Decode(ids, true) != text {
			t.Errorf("%s: %v, %v", s.name, ids, err)
		}
		if first := slices.Index(ids, bos) == 0; first != (config.ModelType != "qwen3") {
			t.Errorf("%s: BOS first: %v", s.name, first)
		}
	}
}

// TestTinyTokenizerRefuses tries special tokens whose IDs belong to bytes or are
// outside the vocabulary.
func TestTinyTokenizerRefuses(t *testing.T) {
	for _, config := range []string{
		`{`,
		`{"vocab_size":300,"bos_token_id":3,"eos_token_id":2}`,
		`{"vocab_size":300,"bos_token_id":1,"eos_token_id":300}`,
		`{"vocab_size":200,"bos_token_id":1,"eos_token_id":2}`,
	} {
		if _, err := tinyTokenizer([]byte(config)); err == nil {
			t.Errorf("%s: accepted", config)
		}
	}
}
