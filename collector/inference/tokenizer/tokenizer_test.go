package tokenizer

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// wantIDs compares the IDs of a text with special tokens.
func wantIDs(t *testing.T, tok *Tokenizer, text string, want []int32) {
	t.Helper()
	if got, err := tok.Encode(text, true); err != nil || !slices.Equal(got, want) {
		t.Errorf("Encode(%q, true) is %v, %v, want %v", text, got, err, want)
	}
}

// TestEnds checks BOS and EOS of the fixtures.
func TestEnds(t *testing.T) {
	for name, want := range map[string][2]string{
		"llama2": {"<s>", "</s>"}, "mistral": {"<s>", "</s>"}, "gemma2": {"<bos>", "<eos>"},
		"llama3": {"<|begin_of_text|>", "<|eot_id|>"}, "qwen2": {"", "<|im_end|>"}, "cjk": {"<s>", "</s>"},
		"unknown": {"<s>", ""}, "unfused": {"", ""}, "opt": {"</s>", "</s>"}, "gpt2": {"<|endoftext|>", "<|endoftext|>"},
	} {
		tok := mustOpen(t, "testdata/"+name)
		for i, role := range []func() (int32, bool){tok.BOS, tok.EOS} {
			id, ok := role()
			got := ""
			if ok {
				got = tok.Decode([]int32{id}, false)
			}
			if got != want[i] {
				t.Errorf("%s: end %d is %q, want %q", name, i, got, want[i])
			}
		}
	}
}

// TestEndsByNumber has BOS and EOS only in config.json.
func TestEndsByNumber(t *testing.T) {
	const model = `{"model":{"type":"BPE","vocab":{"a":0,"b":1}}}`
	for config, want := range map[string][2]int32{
		`{"bos_token_id":1,"eos_token_id":[0,1]}`:      {1, 0},
		`{"bos_token_id":null,"eos_token_id":7}`:       {none, none},
		`{"bos_token_id":-1,"eos_token_id":[]}`:        {none, none},
		`{"eos_token_id":1,"vocab_size":123456789012}`: {none, 1},
	} {
		tok := mustOpen(t, folder(t, map[string]string{"tokenizer.json": model, "config.json": config}))
		bos, hasBOS := tok.BOS()
		eos, hasEOS := tok.EOS()
		if bos != want[0] || eos != want[1] || hasBOS != (bos != none) || hasEOS != (eos != none) {
			t.Errorf("%s: %d, %d, want %v", config, bos, eos, want)
		}
	}
}

// TestOPT checks that OPT puts </s>, which has ID 2, before each text.
func TestOPT(t *testing.T) {
	tok := mustOpen(t, "testdata/opt")
	wantIDs(t, tok, "", []int32{2})
	ids, err := tok.Encode(" x</s>", true)
	if err != nil || ids[0] != 2 || ids[len(ids)-1] != 2 || tok.Decode(ids, true) != " x" {
		t.Errorf("got %v, %v", ids, err)
	}
}

// TestTokenizerJSONWins checks that tokenizer.json overrides add_bos_token in
// tokenizer_config.json, as in transformers 5.
func TestTokenizerJSONWins(t *testing.T) {
	data, err := os.ReadFile("testdata/llama2/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	tok := mustOpen(t, folder(t, map[string]string{
		"tokenizer.json": string(data), "tokenizer_config.json": `{"add_bos_token": false, "bos_token": "<s>"}`,
	}))
	wantIDs(t, tok, "", []int32{1})
}

// TestScanners compares the functions for known expressions with package regexp.
func TestScanners(t *testing.T) {
	var texts []string
	for _, c := range readGolden(t, "testdata/llama3").Cases {
		texts = append(texts, c.Text)
	}
	texts = append(texts, strings.Join(texts, ""), strings.Join(texts, " "), strings.Join(texts, "\n"))
	for _, source := range []string{gpt2Pattern, llama3Pattern, qwen2Pattern} {
		known, err := (&pattern{Regex: &source}).finder()
		if err != nil {
			t.Fatal(err)
		}
		general, err := newExpression(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if got, want := pieces(t, known, text), pieces(t, general, text); !slices.Equal(got, want) {
				t.Errorf("%s splits %q into %q, want %q", source, text, got, want)
			}
		}
	}
}

// pieces returns the matches in a text.
func pieces(t *testing.T, find matcher, text string) []string {
	t.Helper()
	var list []string
	if err := find(text, func(from, to int) { list = append(list, text[from:to]) }); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestKinds checks the kind of every character against package regexp.
func TestKinds(t *testing.T) {
	for k, class := range map[kind]string{
		letter: `\p{L}`, number: `\p{N}`, space: "[" + spaceClass + "]", other: `[^\p{L}\p{N}` + spaceClass + "]",
	} {
		re := regexp.MustCompile("^" + class + "$")
		for r := range rune(0x30000) {
			text := string(r)
			if got, n := kindOf(text); n != len(text) || (got == k) != re.MatchString(text) {
				t.Errorf("%q has kind %d, but match with %s is %v", text, got, class, re.MatchString(text))
			}
		}
	}
}

// TestValidUTF8 has the examples of The Unicode Standard, section 3.9, tables 3-8
// to 3-11, and truncated characters.
func TestValidUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"":                                     "",
		"a\u00e9\U0001f600":                    "a\u00e9\U0001f600",
		"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41": "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdA",
		"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41": "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdA",
		"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42": "\ufffd\ufffd\ufffd\ufffd\ufffdA\ufffd\ufffdB",
		"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41": "\ufffd\ufffd\ufffd\ufffdA",
		"\xf0\x9f\x98":                         "\ufffd",
		"\xe6\xa8\xf4\x8f\xbf":                 "\ufffd\ufffd",
		"\ufffd\x80":                           "\ufffd\ufffd",
	} {
		if got := validUTF8([]byte(in)); got != want {
			t.Errorf("validUTF8(%+q) is %+q, want %+q", in, got, want)
		}
	}
}

// TestByteAlphabet checks that each byte has its own character.
func TestByteAlphabet(t *testing.T) {
	for b := range 256 {
		char := byteLevel(string([]byte{byte(b)}))
		if utf8.RuneCountInString(char) != 1 || string(appendBytes(nil, char)) != string([]byte{byte(b)}) {
			t.Errorf("byte %#x is %q", b, char)
		}
	}
	if byteLevel(" \n") != "ĠĊ" {
		t.Error("a space and a line feed are not Ġ and Ċ")
	}
}
