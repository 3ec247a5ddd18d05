package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLongTexts encodes texts that take long if any step but the merger's heap is
// slower than linear.
func TestLongTexts(t *testing.T) {
	const n = 1 << 15
	texts := map[string]string{
		"one letter":   strings.Repeat("a", n),
		"one word":     strings.Repeat("reader", n/6),
		"spaces":       strings.Repeat(" ", n),
		"spaces, word": strings.Repeat(" ", n) + "x",
		"lines":        strings.Repeat("\n", n) + strings.Repeat(" ", n) + "x",
		"space line":   strings.Repeat(" \n", n/2) + "x",
		"digits":       strings.Repeat("7", n),
		"marks":        "e" + strings.Repeat("\u0301\u0323", n/4),
		"unknown":      strings.Repeat("\U0001f9ff", n/4),
		"almost":       strings.Repeat("<", n) + strings.Repeat("<|im_star", n/9),
		"added":        strings.Repeat("<s>", n/3),
		"added spaces": strings.Repeat("<mask>    ", n/10) + strings.Repeat(" ", n),
		"quotes":       strings.Repeat("'", n),
	}
	for _, dir := range fixtures(t) {
		tok := mustOpen(t, dir)
		for name, text := range texts {
			start := time.Now()
			ids, err := tok.Encode(text, true)
			if err != nil {
				t.Errorf("%s: %s: %v", dir, name, err)
			}
			tok.Decode(ids, false)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("%s: %s took %v", dir, name, took)
			}
		}
	}
}

// TestAddedSpaces has added tokens of white space that extend to more of it, in
// long runs of white space.
func TestAddedSpaces(t *testing.T) {
	tok := mustOpen(t, folder(t, map[string]string{"tokenizer.json": `{"model":{"type":"BPE","vocab":{"a":0}},
		"added_tokens":[{"id":1,"content":" ","lstrip":true},{"id":2,"content":"\t","rstrip":true}]}`}))
	const n = 1 << 17
	start := time.Now()
	for _, text := range []string{strings.Repeat(" ", n), strings.Repeat("\t", n), strings.Repeat("\n", n) + strings.Repeat(" \t", n/2)} {
		if ids, err := tok.Encode(text, false); err != nil || len(ids) != n {
			t.Errorf("%d IDs, %v, want %d", len(ids), err, n)
		}
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestSlowExpression has an expression that reads a text repeatedly.
func TestSlowExpression(t *testing.T) {
	find, err := newExpression("x.*y|x")
	if err != nil {
		t.Fatal(err)
	}
	err = find(strings.Repeat("x", 1<<13), func(int, int) {})
	if err == nil || !strings.Contains(err.Error(), "takes too long") {
		t.Errorf("got %v", err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	tok := mustOpen(t, "testdata/llama3")
	for text, want := range map[string]string{
		"ab\xffc":                      "byte 2 is not UTF-8",
		"\xed\xa0\x80":                 "byte 0 is not UTF-8",
		strings.Repeat("a", maxText+1): "the limit is 4194304",
	} {
		if _, err := tok.Encode(text, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Encode(%.10q): %v, want an error with %q", text, err, want)
		}
	}
	grow := replace("a", strings.Repeat("b", 100))
	if _, err := grow(strings.Repeat("a", maxText/10)); err == nil {
		t.Error("the length of a normalized text is not limited")
	}
}

// TestOpenRefuses checks that errors name what is not supported.
func TestOpenRefuses(t *testing.T) {
	const model = `{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}`
	for _, test := range []struct{ json, want string }{
		{``, "unexpected end"},
		{`{}`, `type "" is not supported`},
		{"\xff", "not UTF-8"},
		{strings.Repeat("[", 20000), "max depth"},
		{`{"model":{"type":"Unigram","vocab":null}}`, `"Unigram" is not supported`},
		{`{"model":{"type":"BPE","vocab":{}}}`, "vocabulary is empty"},
		{`{"model":{"type":"BPE","vocab":{"a":-1}}}`, "has ID -1"},
		{`{"model":{"type":"BPE","vocab":{"a":4194304}}}`, "has ID 4194304"},
		{`{"model":{"type":"BPE","vocab":{"a":1.5}}}`, "cannot unmarshal"},
		{`{"model":{"type":"BPE","vocab":{"a":0,"b":0}}}`, `"a" and "b" have the same ID 0`},
		{`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}`, `merge 0 of "a" and "b"`},
		{`{"model":{"type":"BPE","vocab":{"a":0},"merges":["ab"]}}`, "not two tokens separated by a space"},
		{`{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}}`, "has 1 tokens"},
		{`{"model":{"type":"BPE","vocab":{"a":0},"dropout":0.1}}`, "dropout"},
		{`{"model":{"type":"BPE","vocab":{"a":0},"unk_token":"u"}}`, `unk_token "u" is not in the vocabulary`},
		{`{"model":{"type":"BPE","vocab":{"a":0},"continuing_subword_prefix":"##"}}`, `continuing_subword_prefix "##"`},
		{`{"model":{"type":"BPE","vocab":{"a":0},"end_of_word_suffix":"</w>"}}`, `end_of_word_suffix "</w>"`},
		{`{"model":` + model + `,"normalizer":{"type":"BertNormalizer"}}`, `normalizer "BertNormalizer" is not supported`},
		{`{"model":` + model + `,"normalizer":{"type":"Replace","pattern":{"Regex":"a+"},"content":""}}`, `expression "a+"`},
		{`{"model":` + model + `,"normalizer":{"type":"Replace","pattern":{"String":""},"content":""}}`, "the pattern is empty"},
		{`{"model":` + model + `,"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 6) + strings.Repeat(`]}`, 6) + `}`, "sequences nested deeper than 4"},
		{`{"model":` + model + `,"normalizer":{"type":"Sequence","normalizers":[` + strings.Repeat(`{"type":"NFC"},`, 64) + `{"type":"NFC"}]}}`, "more than 64 components"},
		{`{"model":` + model + `,"pre_tokenizer":{"type":"Punctuation"}}`, `pre_tokenizer "Punctuation"`},
		{`{"model":` + model + `,"pre_tokenizer":{"type":"Split","behavior":"Isolated"}}`, "the pattern is missing"},
		{`{"model":` + model + `,"pre_tokenizer":{"type":"Split","behavior":"Odd","pattern":{"String":"x"}}}`, `behavior "Odd"`},
		{`{"model":` + model + `,"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"(?<=a)b"}}}`, `a group beginning with "(?<="`},
		{`{"model":` + model + `,"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"[a&&b]"}}}`, "a nested class"},
		{`{"model":` + model + `,"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"\\w+"}}}`, `the escape "\\w"`},
		{`{"model":` + model + `,"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"^a$"}}}`, "the anchor ^"},
		{`{"model":` + model + `,"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"a)\n|(b|\\s+(?!\\S)|\\s+"}}}`, "unexpected )"},
		{`{"model":` + model + `,"pre_tokenizer":{"type":"Metaspace","replacement":"__"}}`, "is not one character"},
		{`{"model":` + model + `,"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"last"}}`, `prepend_scheme "last"`},
		{`{"model":` + model + `,"post_processor":{"type":"BertProcessing"}}`, `post_processor "BertProcessing"`},
		{`{"model":` + model + `,"post_processor":{"type":"TemplateProcessing","single":[]}}`, "does not contain the text A"},
		{`{"model":` + model + `,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}]}}`, `special token "x" is not defined`},
		{`{"model":` + model + `,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],"special_tokens":{"x":{"ids":[9]}}}}`, "no token has ID 9"},
		{`{"model":` + model + `,"decoder":{"type":"WordPiece"}}`, `decoder "WordPiece"`},
		{`{"model":` + model + `,"decoder":{"type":"Replace","pattern":{"String":"a"},"content":"bb"}}`, "by the longer"},
		{`{"model":` + model + `,"decoder":{"type":"Strip","content":""}}`, "one character"},
		{`{"model":` + model + `,"added_tokens":[{"id":3,"content":""}]}`, "added token 3 is empty"},
		{`{"model":` + model + `,"added_tokens":[{"id":-3,"content":"x"}]}`, "has ID -3"},
		{`{"model":` + model + `,"added_tokens":[{"id":7,"content":"a"}]}`, `"a" has ID 7, but the tokenizers library gives it 0`},
		{`{"model":` + model + `,"added_tokens":[{"id":3,"content":"x"},{"id":5,"content":"y"}]}`, `"y" has ID 5, but the tokenizers library gives it 4`},
		{`{"model":` + model + `,"added_tokens":[{"id":3,"content":"` + strings.Repeat("x", 600) + `"}]}`, "is too long"},
		{`{"model":` + model + `,"normalizer":{"type":"Strip","strip_left":true},"added_tokens":[{"id":3,"content":" ","normalized":true}]}`, "after normalization"},
	} {
		dir := folder(t, map[string]string{"tokenizer.json": test.json})
		_, err := Open(dir)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.200s: %v, want an error with %q", test.json, err, test.want)
		}
	}
}

// TestTwoFiles opens folders with vocab.json and merges.txt, or without one of
// them.
func TestTwoFiles(t *testing.T) {
	const vocab = `{"a":0,"b":1,"Ġ":2,"ab":3,"1":4,"12":5,"<|endoftext|>":6}`
	const merges = "#version: 0.2\na b\n1 2\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string // in the error, if there is one
		text  string
		ids   []int32
	}{
		{"nothing", map[string]string{}, "neither tokenizer.json nor both", "", nil},
		{"half", map[string]string{"vocab.json": vocab}, "neither tokenizer.json nor both", "", nil},
		{"wrong merge", map[string]string{"vocab.json": vocab, "merges.txt": merges}, `merge 1 of "1" and "2"`, "", nil},
		{"no merge", map[string]string{"vocab.json": vocab, "merges.txt": "a b\n\nb a\n"}, "merges.txt: line 2", "", nil},
		{"gpt2", map[string]string{"vocab.json": vocab, "merges.txt": "a b\r\n"}, "", "ab a<|endoftext|>", []int32{3, 2, 0, 6}},
		{"added", map[string]string{"vocab.json": vocab, "merges.txt": "a b", "added_tokens.json": `{"<x>": 7}`}, "", "ab<x>", []int32{3, 7}},
		{"prefix", map[string]string{"vocab.json": vocab, "merges.txt": "a b", "tokenizer_config.json": `{"add_prefix_space": true}`}, "", "ab", []int32{2, 3}},
		{"both ends", map[string]string{"vocab.json": vocab, "merges.txt": "a b", "tokenizer_config.json": `{"add_bos_token": true, "add_eos_token": true,
			"bos_token": "<s>", "added_tokens_decoder": {"7": {"content": "<s>", "special": true}}}`}, "", "ab", []int32{7, 3, 6}},
		{"no such end", map[string]string{"vocab.json": vocab, "merges.txt": "a b", "tokenizer_config.json": `{"add_bos_token": true, "bos_token": "<s>"}`},
			`"<s>", which begins or ends a text, is not a token`, "", nil},
		{"other class", map[string]string{"vocab.json": vocab, "merges.txt": "a b", "tokenizer_config.json": `{"tokenizer_class": "CLIPTokenizer"}`},
			`"CLIPTokenizer" is not supported`, "", nil},
		{"other model", map[string]string{"vocab.json": vocab, "merges.txt": "a b", "config.json": `{"model_type": "roberta"}`}, `"of model type roberta" is not supported`, "", nil},
		{"qwen", map[string]string{"vocab.json": vocab, "merges.txt": "a b", "config.json": `{"model_type": "qwen3"}`}, "", "1ab", []int32{4, 3}},
		{"bad config", map[string]string{"config.json": `{`}, "config.json: ", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			tok, err := Open(folder(t, test.files))
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want an error with %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantIDs(t, tok, test.text, test.ids)
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("missing folder: %v", err)
	}
}

// folder returns a folder with the given files.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
