package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// sample exercises all parts of a tokenizer.
const sample = "A disk's  hum\n\n 123 e\u0301\u0323 ▁模型<s>\t</s> x\U0001f469\u200d\U0001f467 <mask>"

// FuzzTokenizerJSON tries any tokenizer.json. Accepted ones must encode and decode
// in bounded time, and give IDs below Size.
func FuzzTokenizerJSON(f *testing.F) {
	for _, dir := range fixtures(f) {
		if data, err := os.ReadFile(filepath.Join(dir, "tokenizer.json")); err == nil {
			f.Add(withSmallModel(f, data))
		}
	}
	for _, seed := range []string{
		`{"model":{"vocab":{"a":0,"b":1,"ab":7},"merges":[["a","b"]]}}`,
		`{"model":{"type":"BPE","vocab":{"a":0,"<0x41>":3,"u":2},"merges":[],"unk_token":"u","byte_fallback":true},"added_tokens":[{"id":9,"content":" ","lstrip":true,"rstrip":true}]}`,
		`{"model":{"type":"BPE","vocab":{"a":0}},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","behavior":"MergedWithNext","pattern":{"Regex":"(?i:x)|[^\\s\\d]{1,3}|\\s+(?!\\S)|\\s+"}},{"type":"Digits"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}]}}`,
		`{"model":{"type":"BPE","vocab":{"a":0}},"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Prepend","prepend":"aa"},{"type":"Replace","pattern":{"String":"a"},"content":"aaaa"},{"type":"Lowercase"},{"type":"Strip","strip_left":true}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseDefinition(data)
		if err != nil {
			return
		}
		tok, err := d.build()
		if err != nil {
			oneLine(t, err)
			return
		}
		start := time.Now()
		ids, err := tok.Encode(sample, true)
		if err != nil {
			oneLine(t, err)
		}
		for _, id := range ids {
			if id < 0 || int(id) >= tok.Size() {
				t.Errorf("ID %d, but Size is %d", id, tok.Size())
			}
		}
		if text := tok.Decode(ids, false); !utf8.ValidString(text) {
			t.Errorf("decoded to %q", text)
		}
		for id := range int32(tok.Size()) {
			if id > 1000 {
				break
			}
			tok.Decode([]int32{id, -id, id + 1}, true)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// withSmallModel replaces the vocabulary of a tokenizer.json by a small one, so
// that fuzzing spends its time elsewhere.
func withSmallModel(f *testing.F, data []byte) []byte {
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		f.Fatal(err)
	}
	whole["model"] = json.RawMessage(`{"type":"BPE","vocab":{"a":1000,"Ġ":1001,"Ġa":1002,"▁":1003,"<0x0A>":1004},"merges":["Ġ a"]}`)
	whole["post_processor"] = json.RawMessage(`null`)
	small, err := json.Marshal(whole)
	if err != nil {
		f.Fatal(err)
	}
	return small
}

// FuzzMerges tries any merges.txt. Accepted ones have two tokens per line.
func FuzzMerges(f *testing.F) {
	for _, seed := range []string{"", "#version: 0.2\na b\nab c\n", "a b\r\n\r\n", "a  b", " ", "\xff \xfe\n", "a b c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		merges, err := parseMerges(text)
		if err != nil {
			oneLine(t, err)
			return
		}
		vocab := map[string]int32{}
		add := func(token string) {
			if _, ok := vocab[token]; !ok {
				vocab[token] = int32(len(vocab))
			}
		}
		for _, m := range merges {
			if m[0] == "" || m[1] == "" || strings.ContainsAny(m[0]+m[1], " \n") {
				t.Errorf("accepted %q", m)
			}
			add(m[0])
			add(m[1])
			add(m[0] + m[1])
		}
		model, err := newBPE(vocab, merges, bpeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		model.encode(&merger{}, nil, text)
	})
}

// FuzzEncode encodes any text with each fixture. Decoding must restore it for
// byte-level tokenizers, except Qwen's, which normalizes.
func FuzzEncode(f *testing.F) {
	tokenizers := map[string]*Tokenizer{}
	for _, dir := range fixtures(f) {
		tokenizers[filepath.Base(dir)] = mustOpen(f, dir)
	}
	for _, c := range readGolden(f, "testdata/llama3").Cases {
		f.Add(c.Text)
	}
	f.Add("\xff\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		for name, tok := range tokenizers {
			ids, err := tok.Encode(text, true)
			if (err == nil) != utf8.ValidString(text) {
				t.Fatalf("%s: Encode(%q): %v", name, text, err)
			}
			plain, err := tok.Encode(text, false)
			if err != nil {
				oneLine(t, err)
				continue
			}
			if len(plain) != len(ids)-len(tok.prefix)-len(tok.suffix) {
				t.Errorf("%s: %d IDs for %q, and %d with special tokens", name, len(plain), text, len(ids))
			}
			back := tok.Decode(plain, false)
			if (name == "llama3" || name == "opt" || name == "gpt2") && back != text {
				t.Errorf("%s: %q decoded to %q", name, text, back)
			}
			if !utf8.ValidString(back) {
				t.Errorf("%s: decoded to %q", name, back)
			}
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// oneLine checks that an error fits on a line.
func oneLine(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), "\n") || len(err.Error()) > 1000 {
		t.Errorf("error has %d bytes or several lines: %.200q", len(err.Error()), err)
	}
}
