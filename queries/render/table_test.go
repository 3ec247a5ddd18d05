package render

import (
	"bytes"
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
