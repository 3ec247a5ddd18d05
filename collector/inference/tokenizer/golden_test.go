package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// golden holds results of the tokenizers library, from
// scripts/fixtures/make_tokenizers.py.
type golden struct {
	Size  int `json:"size"`
	Cases []struct {
		Text        string  `json:"text"`
		IDs         []int32 `json:"ids"`
		SpecialIDs  []int32 `json:"special_ids"`
		Decoded     string  `json:"decoded"`
		DecodedSkip string  `json:"decoded_skip"`
	} `json:"cases"`
	Decodings []struct {
		IDs      []int32 `json:"ids"`
		Text     string  `json:"text"`
		TextSkip string  `json:"text_skip"`
	} `json:"decodings"`
}

// fixtures returns the folders with a tokenizer.
func fixtures(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*/golden.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	var dirs []string
	for _, f := range files {
		dirs = append(dirs, filepath.Dir(f))
	}
	return dirs
}

func mustOpen(t testing.TB, dir string) *Tokenizer {
	t.Helper()
	tok, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func readGolden(t testing.TB, dir string) golden {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGolden(t *testing.T) {
	for _, dir := range fixtures(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			tok, want := mustOpen(t, dir), readGolden(t, dir)
			if tok.Size() != want.Size {
				t.Errorf("Size is %d, want %d", tok.Size(), want.Size)
			}
			for _, c := range want.Cases {
				for _, special := range []bool{false, true} {
					ids := c.IDs
					if special {
						ids = c.SpecialIDs
					}
					if got, err := tok.Encode(c.Text, special); err != nil || !slices.Equal(got, ids) {
						t.Errorf("Encode(%q, %v) is %v, %v, want %v", c.Text, special, got, err, ids)
					}
				}
				if got := tok.Decode(c.SpecialIDs, false); got != c.Decoded {
					t.Errorf("Decode(%v, false) is %q, want %q", c.SpecialIDs, got, c.Decoded)
				}
				if got := tok.Decode(c.SpecialIDs, true); got != c.DecodedSkip {
					t.Errorf("Decode(%v, true) is %q, want %q", c.SpecialIDs, got, c.DecodedSkip)
				}
			}
			for _, d := range want.Decodings {
				if got := tok.Decode(d.IDs, false); got != d.Text {
					t.Errorf("Decode(%v, false) is %q, want %q", d.IDs, got, d.Text)
				}
				if got := tok.Decode(d.IDs, true); got != d.TextSkip {
					t.Errorf("Decode(%v, true) is %q, want %q", d.IDs, got, d.TextSkip)
				}
			}
		})
	}
}
