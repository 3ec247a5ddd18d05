package shell

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sllmq/sllmq/queries"
)

func TestCandidates(t *testing.T) {
	s := &shell{Options: Options{Formats: []string{"csv", "table"}, Named: []queries.Named{{Name: "trend"}, {Name: "stages"}}}, tables: []queries.Table{
		{Name: "loads", Columns: []queries.Column{{Name: "loading_time_s"}, {Name: "seq"}}},
		{Name: "load_facts", Columns: []queries.Column{{Name: "loader"}, {Name: "seq"}}},
	}}
	for before, want := range map[string][]string{
		"select lo":                          {"loading_time_s", "loader", "loads", "load_facts"},
		"select LOADI":                       {"loading_time_s"},
		"select max(lo":                      {"loading_time_s", "loader", "loads", "load_facts"},
		"select 'x' from loads where lo":     {"loading_time_s", "loads", "load_facts"},
		"select 1 from loads l where l.s":    {"seq"},
		"from load_facts; select 1, 2 gro":   {"group by", "group by all"},
		"from load_facts; from loads order ": nil, // too many to tell
		".t":                                 {".tables", ".timing"},
		".mode c":                            {"csv"},
		".mode csv c":                        nil,
		".schema load_":                      {"load_facts"},
		".query t":                           {"trend"},
		".nonesuch x":                        nil,
	} {
		list, word := s.candidates(before)
		var got []string
		for _, c := range list {
			got = append(got, c.word)
		}
		if want == nil && before[0] != '.' {
			if word != "" || len(got) < 10 {
				t.Errorf("%q: %q and %d candidates", before, word, len(got))
			}
			continue
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q goes on with %q, want %q", before, got, want)
		}
	}
}

func TestFilesAreCandidates(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one.sql", "other.sql"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := &shell{}
	list, word := s.candidates(".read " + filepath.Join(dir, "on"))
	if len(list) != 1 || list[0].word != filepath.Join(dir, "one.sql") || word != filepath.Join(dir, "on") {
		t.Errorf("%v, %q", list, word)
	}
}

func TestHistory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "history")
	h, err := openHistory(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range []string{"select 1;", "select 1;", " secret;", "", "select\n 2;"} {
		if _, err := h.Write(entry); err != nil {
			t.Fatal(err)
		}
	}
	again, err := openHistory(file)
	if err != nil || !slices.Equal(again.entries, []string{"select 1;", "select\n 2;"}) {
		t.Errorf("%q, %v", again.entries, err)
	}
	// A line that is none of ours is passed over; too many are cut.
	text := []byte("nonsense\n{}\n")
	for range 2*maxHistory + 1 {
		text = append(text, "\"select 3;\"\n"...)
	}
	if err := os.WriteFile(file, append(text, "\"select 4;\"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		cut, err := openHistory(file)
		if err != nil || cut.Len() != maxHistory {
			t.Fatalf("%d entries: %v", cut.Len(), err)
		}
		if last, err := cut.GetLine(maxHistory - 1); last != "select 4;" || err != nil {
			t.Errorf("the last is %q, %v", last, err)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}
