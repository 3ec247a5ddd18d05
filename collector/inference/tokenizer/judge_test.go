package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// TestJudge compares the results for random texts and IDs with those of the
// tokenizers library, for each fixture and each folder in SLLMQ_JUDGE_TOKENIZERS
// (separated by colons). SLLMQ_JUDGE_PYTHON is a Python with the packages of
// scripts/fixtures/requirements.txt.
func TestJudge(t *testing.T) {
	python := os.Getenv("SLLMQ_JUDGE_PYTHON")
	if python == "" {
		t.Skip("set SLLMQ_JUDGE_PYTHON to a Python with the packages of scripts/fixtures/requirements.txt")
	}
	dirs := append(fixtures(t), filepath.SplitList(os.Getenv("SLLMQ_JUDGE_TOKENIZERS"))...)
	for i, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { compare(t, python, dir, uint64(i), 3000) })
	}
	for i, v := range variants() {
		t.Run(fmt.Sprintf("%s-%s-%d", v.fixture, v.field, i), func(t *testing.T) {
			compare(t, python, v.write(t), uint64(100+i), 1000)
			if t.Failed() {
				t.Logf("with %s", v.component)
			}
		})
	}
}

// variant is a fixture with one component replaced.
type variant struct{ fixture, field, component string }

// variants returns components that no fixture has.
func variants() []variant {
	const bytes = `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}`
	var list []variant
	for _, behavior := range []string{"Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"} {
		for _, invert := range []string{"false", "true"} {
			list = append(list, variant{"llama3", "pre_tokenizer", `{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern":
				{"Regex": "[aeiou \\p{Lu}\\p{N}]"}, "behavior": "` + behavior + `", "invert": ` + invert + `}, ` + bytes + `]}`})
		}
	}
	for _, expression := range []string{
		`\\p{L}+|\\p{N}{2}|\\s+`, `(a|b)*?c|.|\\n`, `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
		`(?i:'s|'t|x[^\\s\\d]|k)| ?\\S+|\\s+(?!\\S)|\\s+`, `[!-/:-~\\]\\-]+|\\P{L}|\\d`,
	} {
		list = append(list, variant{"llama3", "pre_tokenizer", `{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern":
			{"Regex": "` + expression + `"}, "behavior": "Isolated", "invert": false}, ` + bytes + `]}`})
	}
	for _, scheme := range []string{"always", "first", "never"} {
		for _, split := range []string{"false", "true"} {
			metaspace := `{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "` + scheme + `", "split": ` + split + `}`
			list = append(list, variant{"mistral", "pre_tokenizer", metaspace}, variant{"unknown", "decoder", metaspace})
		}
	}
	return append(list,
		variant{"opt", "pre_tokenizer", `{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}`},
		variant{"qwen2", "normalizer", `{"type": "NFD"}`},
		variant{"qwen2", "normalizer", `{"type": "NFKC"}`},
		variant{"qwen2", "normalizer", `{"type": "NFKD"}`},
		variant{"unknown", "normalizer", `{"type": "Strip", "strip_left": true, "strip_right": false}`},
		variant{"unknown", "normalizer", `{"type": "Lowercase"}`},
		variant{"llama2", "normalizer", `{"type": "Replace", "pattern": {"String": "a"}, "content": "▁b "}`},
		variant{"llama2", "decoder", `{"type": "Sequence", "decoders": [{"type": "Strip", "content": "▁", "start": 2, "stop": 0},
			{"type": "ByteFallback"}, {"type": "Strip", "content": "e", "start": 1, "stop": 0}]}`},
		variant{"gemma2", "decoder", `null`},
		variant{"gemma2", "decoder", `{"type": "Fuse"}`},
	)
}

// write returns a folder with the fixture's tokenizer.json and the component.
func (v variant) write(t *testing.T) string {
	t.Helper()
	whole := map[string]json.RawMessage{}
	if data, err := os.ReadFile(filepath.Join("testdata", v.fixture, "tokenizer.json")); err == nil {
		if err := json.Unmarshal(data, &whole); err != nil {
			t.Fatal(err)
		}
	} else {
		whole = fromTwoFiles(t, filepath.Join("testdata", v.fixture))
	}
	whole[v.field] = json.RawMessage(v.component)
	data, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), data, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fromTwoFiles returns a tokenizer.json for vocab.json and merges.txt.
func fromTwoFiles(t *testing.T, dir string) map[string]json.RawMessage {
	t.Helper()
	vocab, err := os.ReadFile(filepath.Join(dir, "vocab.json"))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(filepath.Join(dir, "merges.txt"))
	if err != nil {
		t.Fatal(err)
	}
	merges, err := parseMerges(string(lines))
	if err != nil {
		t.Fatal(err)
	}
	model, err := json.Marshal(map[string]any{"type": "BPE", "vocab": json.RawMessage(vocab), "merges": merges})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]json.RawMessage{"version": []byte(`"1.0"`), "added_tokens": []byte(`[]`), "model": model, "decoder": []byte(`{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}`)}
}

// compare compares both for random texts and IDs.
func compare(t *testing.T, python, dir string, seed uint64, count int) {
	tok := mustOpen(t, dir)
	random := rand.New(rand.NewPCG(2, seed))
	questions := struct {
		Texts []string  `json:"texts"`
		IDs   [][]int32 `json:"ids"`
	}{}
	words := wordsOf(tok)
	for range count {
		questions.Texts = append(questions.Texts, randomText(random, words))
		ids := make([]int32, random.IntN(30))
		for i := range ids {
			ids[i] = int32(random.IntN(min(tok.Size(), 1<<(4+random.IntN(20))) + 1))
		}
		questions.IDs = append(questions.IDs, ids)
	}
	var got struct {
		IDs        [][]int32 `json:"ids"`
		SpecialIDs [][]int32 `json:"special_ids"`
		Texts      []string  `json:"texts"`
		TextsSkip  []string  `json:"texts_skip"`
	}
	judge(t, python, dir, questions, &got)
	bad := 0
	for i, text := range questions.Texts {
		plain, err1 := tok.Encode(text, false)
		special, err2 := tok.Encode(text, true)
		if err1 != nil || err2 != nil || !slices.Equal(plain, got.IDs[i]) || !slices.Equal(special, got.SpecialIDs[i]) {
			bad++
			t.Errorf("Encode(%+q) is %v, %v, want %v", text, plain, err1, got.IDs[i])
		}
		ids := questions.IDs[i]
		if text := tok.Decode(ids, false); text != got.Texts[i] {
			bad++
			t.Errorf("Decode(%v, false) is %+q, want %+q", ids, text, got.Texts[i])
		}
		if text := tok.Decode(ids, true); text != got.TextsSkip[i] {
			bad++
			t.Errorf("Decode(%v, true) is %+q, want %+q", ids, text, got.TextsSkip[i])
		}
		if bad > 9 {
			t.Fatal("too many differences")
		}
	}
}

// judge gets the answers of the Python library.
func judge(t *testing.T, python, dir string, questions, answers any) {
	t.Helper()
	input, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	command := exec.Command(python, "../../../scripts/fixtures/judge_tokenizers.py", dir)
	command.Env = append(os.Environ(), "HF_HUB_OFFLINE=1", "TRANSFORMERS_VERBOSITY=error")
	command.Stdin, command.Stderr = bytes.NewReader(input), &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, stderr.Bytes())
	}
	if err := json.Unmarshal(out, answers); err != nil {
		t.Fatal(err)
	}
}

// wordsOf returns the texts of a tokenizer's tokens, repeating added tokens.
func wordsOf(tok *Tokenizer) []string {
	var words []string
	for id := range int32(tok.Size()) {
		if text := tok.Decode([]int32{id}, false); text != "" {
			words = append(words, text)
		}
	}
	slices.Sort(words)
	for token := range tok.added.ids {
		words = append(words, slices.Repeat([]string{token}, 1+len(words)/20/len(tok.added.ids))...)
	}
	slices.Sort(words)
	return words
}

// scripts are the sources of random characters; repeated ones are likelier.
var scripts = []*unicode.RangeTable{
	unicode.Latin, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Arabic, unicode.Hebrew, unicode.Devanagari, unicode.Bengali,
	unicode.Thai, unicode.Hangul, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Mn, unicode.Mn, unicode.Mc, unicode.Lm,
	unicode.N, unicode.N, unicode.P, unicode.P, unicode.S, unicode.Zs, unicode.Zs, unicode.Cf, unicode.Lt, unicode.Other_Alphabetic,
	unicode.Co, unicode.Ideographic, unicode.Nl, unicode.Cc, composing, composing, composing,
}

// composing contains characters that normalization decomposes and composes:
// Hangul letters and syllables, compatibility forms, and marks.
var composing = &unicode.RangeTable{R16: []unicode.Range16{
	{0x00c0, 0x017f, 1}, {0x0300, 0x036f, 1}, {0x0900, 0x0dff, 1}, {0x1100, 0x11ff, 1}, {0x1e00, 0x1fff, 1}, {0x2460, 0x24ff, 1},
	{0x3099, 0x309a, 1}, {0x3131, 0x318e, 1}, {0x3200, 0x33ff, 1}, {0xac00, 0xac40, 1}, {0xf900, 0xfaff, 1}, {0xfb00, 0xffee, 1},
}}

// randomText returns a random text of words, characters and white space.
func randomText(random *rand.Rand, words []string) string {
	var b strings.Builder
	for range random.IntN(25) {
		switch random.IntN(8) {
		case 0, 1:
			b.WriteString(words[random.IntN(len(words))])
		case 2:
			b.WriteString([]string{" ", "  ", "\n", "\r\n", "\t", "   ", " \n ", "\u00a0", "\u3000", "\n\n\n"}[random.IntN(10)])
		case 3:
			b.WriteString([]string{"'s", "'LL", "'Re", "'t", "'", "'\u017f", "12345", "0", "<", ">", "_", "▁", "e\u0301\u0323", "big", "LOUD"}[random.IntN(15)])
		case 4:
			b.WriteByte(byte(32 + random.IntN(95)))
		case 5:
			b.WriteString(strings.Repeat(string(rune(97+random.IntN(26))), 1+random.IntN(5)))
		default:
			b.WriteRune(randomRune(random, scripts[random.IntN(len(scripts))]))
		}
	}
	return b.String()
}

// randomRune returns a random character of a table.
func randomRune(random *rand.Rand, table *unicode.RangeTable) rune {
	if n := len(table.R16); n > 0 && (len(table.R32) == 0 || random.IntN(4) > 0) {
		r := table.R16[random.IntN(n)]
		return rune(r.Lo) + rune(r.Stride)*rune(random.IntN(int(r.Hi-r.Lo)/int(r.Stride)+1))
	}
	r := table.R32[random.IntN(len(table.R32))]
	return rune(r.Lo) + rune(r.Stride)*rune(random.IntN(int(r.Hi-r.Lo)/int(r.Stride)+1))
}
