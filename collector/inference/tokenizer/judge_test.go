package tokenizer

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// TestJudge compares random texts and ids with what the real tokenizers
// library makes of them, for each fixture and for each folder in
// SLLMQ_JUDGE_TOKENIZERS (separated by colons). SLLMQ_JUDGE_PYTHON is a Python
// that has the packages of scripts/fixtures/requirements.txt.
func TestJudge(t *testing.T) {
	python := os.Getenv("SLLMQ_JUDGE_PYTHON")
	if python == "" {
		t.Skip("set SLLMQ_JUDGE_PYTHON to a Python with the packages of scripts/fixtures/requirements.txt")
	}
	dirs := append(fixtures(t), filepath.SplitList(os.Getenv("SLLMQ_JUDGE_TOKENIZERS"))...)
	for i, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			tok := mustOpen(t, dir)
			dice := rand.New(rand.NewPCG(2, uint64(i)))
			asked := struct {
				Texts []string  `json:"texts"`
				IDs   [][]int32 `json:"ids"`
			}{}
			words := wordsOf(tok)
			for range 3000 {
				asked.Texts = append(asked.Texts, randomText(dice, words))
				ids := make([]int32, dice.IntN(30))
				for i := range ids {
					ids[i] = int32(dice.IntN(min(tok.Size(), 1<<(4+dice.IntN(20))) + 1))
				}
				asked.IDs = append(asked.IDs, ids)
			}
			var got struct {
				IDs        [][]int32 `json:"ids"`
				SpecialIDs [][]int32 `json:"special_ids"`
				Texts      []string  `json:"texts"`
				TextsSkip  []string  `json:"texts_skip"`
			}
			judge(t, python, dir, asked, &got)
			bad := 0
			for i, text := range asked.Texts {
				plain, err1 := tok.Encode(text, false)
				special, err2 := tok.Encode(text, true)
				if err1 != nil || err2 != nil || !slices.Equal(plain, got.IDs[i]) || !slices.Equal(special, got.SpecialIDs[i]) {
					bad++
					t.Errorf("Encode(%+q) is %v, %v, want %v", text, plain, err1, got.IDs[i])
				}
				if bad > 9 {
					t.Fatal("and so on")
				}
			}
			for i, ids := range asked.IDs {
				if text := tok.Decode(ids, false); text != got.Texts[i] {
					t.Errorf("Decode(%v, false) is %+q, want %+q", ids, text, got.Texts[i])
				}
				if text := tok.Decode(ids, true); text != got.TextsSkip[i] {
					t.Errorf("Decode(%v, true) is %+q, want %+q", ids, text, got.TextsSkip[i])
				}
			}
		})
	}
}

// judge asks the Python library.
func judge(t *testing.T, python, dir string, asked, answer any) {
	t.Helper()
	question, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	command := exec.Command(python, "../../../scripts/fixtures/judge_tokenizers.py", dir)
	command.Env = append(os.Environ(), "HF_HUB_OFFLINE=1", "TRANSFORMERS_VERBOSITY=error")
	command.Stdin, command.Stderr = bytes.NewReader(question), &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, stderr.Bytes())
	}
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatal(err)
	}
}

// wordsOf lists texts that a tokenizer has tokens for, the added ones often.
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

// Where random characters come from, the likelier the oftener.
var scripts = []*unicode.RangeTable{
	unicode.Latin, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Arabic, unicode.Hebrew, unicode.Devanagari, unicode.Bengali,
	unicode.Thai, unicode.Hangul, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Mn, unicode.Mn, unicode.Mc, unicode.Lm,
	unicode.N, unicode.N, unicode.P, unicode.P, unicode.S, unicode.Zs, unicode.Zs, unicode.Cf, unicode.Lt, unicode.Other_Alphabetic,
	unicode.Co, unicode.Ideographic, unicode.Nl, unicode.Cc,
}

// randomText is a text of words, characters and white space in disorder.
func randomText(dice *rand.Rand, words []string) string {
	var b strings.Builder
	for range dice.IntN(25) {
		switch dice.IntN(8) {
		case 0, 1:
			b.WriteString(words[dice.IntN(len(words))])
		case 2:
			b.WriteString([]string{" ", "  ", "\n", "\r\n", "\t", "   ", " \n ", "\u00a0", "\u3000", "\n\n\n"}[dice.IntN(10)])
		case 3:
			b.WriteString([]string{"'s", "'LL", "'Re", "'t", "'", "'\u017f", "12345", "0", "<", ">", "_", "▁", "e\u0301\u0323", "big", "LOUD"}[dice.IntN(15)])
		case 4:
			b.WriteByte(byte(32 + dice.IntN(95)))
		case 5:
			b.WriteString(strings.Repeat(string(rune(97+dice.IntN(26))), 1+dice.IntN(5)))
		default:
			b.WriteRune(randomRune(dice, scripts[dice.IntN(len(scripts))]))
		}
	}
	return b.String()
}

// randomRune is a character of a table.
func randomRune(dice *rand.Rand, table *unicode.RangeTable) rune {
	if n := len(table.R16); n > 0 && (len(table.R32) == 0 || dice.IntN(4) > 0) {
		r := table.R16[dice.IntN(n)]
		return rune(r.Lo) + rune(r.Stride)*rune(dice.IntN(int(r.Hi-r.Lo)/int(r.Stride)+1))
	}
	r := table.R32[dice.IntN(len(table.R32))]
	return rune(r.Lo) + rune(r.Stride)*rune(dice.IntN(int(r.Hi-r.Lo)/int(r.Stride)+1))
}
