package render

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/rivo/uniseg"
)

// once is a reader of one batch.
type once struct {
	rows arrow.RecordBatch
	read bool
}

func (r *once) Schema() *arrow.Schema    { return r.rows.Schema() }
func (r *once) Batch() arrow.RecordBatch { return r.rows }
func (r *once) Err() error               { return nil }
func (r *once) Next() bool               { was := r.read; r.read = true; return !was }

// texts is a row of texts under names.
func texts(names, values []string) *once {
	var fields []arrow.Field
	for _, name := range names {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	for i, v := range values {
		b.Field(i).(*array.StringBuilder).Append(v)
	}
	return &once{rows: b.NewRecordBatch()}
}

func write(t *testing.T, rows Reader, o Options) []string {
	t.Helper()
	var out bytes.Buffer
	if _, err := Write(&out, rows, o); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// On a terminal no line is wider than it, whatever the letters; elsewhere
// nothing is cut.
func TestTablesFitTheTerminal(t *testing.T) {
	long := strings.Repeat("模型はとても速い ", 30)
	names, values := []string{"a", "long", "b"}, []string{"x", long, "y"}
	for _, width := range []int{20, 40, 80, 200} {
		for _, line := range write(t, texts(names, values), Options{Format: "table", Width: width}) {
			if n := uniseg.StringWidth(line); n > width {
				t.Errorf("%d columns in %d: %q", n, width, line)
			}
		}
	}
	for _, format := range []string{"table", "csv", "markdown", "tsv", "jsonl"} {
		if got := strings.Join(write(t, texts(names, values), Options{Format: format}), "\n"); !strings.Contains(got, strings.TrimSpace(long)) {
			t.Errorf("%s cut a value: %s", format, got)
		}
	}
}

// Where not all columns fit at all, those in the middle are left out, and said.
func TestManyColumns(t *testing.T) {
	var names, values []string
	for i := range 60 {
		names, values = append(names, "column"+string(rune('A'+i%26))), append(values, strings.Repeat("v", i))
	}
	lines := write(t, texts(names, values), Options{Format: "table", Width: 80})
	for _, line := range lines {
		if uniseg.StringWidth(line) > 80 {
			t.Errorf("%q", line)
		}
	}
	if last := lines[len(lines)-1]; !strings.Contains(last, "of 60 columns") || !strings.Contains(lines[0], "…") || !strings.HasPrefix(lines[0], "columnA") || !strings.HasSuffix(lines[0], "columnH") {
		t.Errorf("%q", lines)
	}
	if all := write(t, texts(names, values), Options{Format: "table"}); len(all) != 3 || strings.Contains(all[0], "…") {
		t.Errorf("%q", all)
	}
}

// Columns line up whatever the letters: cells are as wide as terminals draw
// their grapheme clusters, in any locale.
func TestWidthsOfLetters(t *testing.T) {
	for text, want := range map[string]int{
		"":                0,
		"plain":           5,
		"模型":              4,
		"한국어":             6,
		"ｆｕｌｌ":            8,
		"e\u0301":         1, // a combining accent
		"नमस्ते":          uniseg.StringWidth("नमस्ते"),
		"👩\u200d👩\u200d👧": 2, // a family joined into one
		"🇯🇵":              2,
		"±…–":             3, // wide in East Asian locales alone
		"two\nlines!":     6,
	} {
		if got := width(text); got != want {
			t.Errorf("width(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	table := Table{Columns: []Column{{Title: "name", Width: 6}, {Title: "n", Right: true}, {Title: "about"}}, Indent: 2}
	table.Row("a", "1", "one")
	table.Line("between rows")
	table.Row("模型\x1b", "12345", "two\nlines")
	table.Row("b", "", "")
	var out bytes.Buffer
	if err := table.Write(&out); err != nil {
		t.Fatal(err)
	}
	const want = `  name        n  about
  a           1  one
between rows
  模型?   12345  two
                 lines
  b
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// A table stops at the first write that fails.
func TestTableReportsWriteErrors(t *testing.T) {
	table := Table{Columns: []Column{{Title: "a"}}}
	table.Row("b")
	if err := table.Write(failing{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }
