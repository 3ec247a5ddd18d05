package render

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
)

// The formats of output. A result of SQL comes in all of them, other answers in
// some.
const (
	FormatTable    = "table"    // for people
	FormatCSV      = "csv"      // RFC 4180; NULL is empty, an empty text is ""
	FormatTSV      = "tsv"      // tabs and ends of lines as \t, \n and \r
	FormatJSON     = "json"     // an array of objects
	FormatJSONL    = "jsonl"    // an object a line
	FormatMarkdown = "markdown" // for documents
	FormatParquet  = "parquet"
	FormatArrow    = "arrow" // the IPC stream
	FormatValue    = "value" // a single value, for scripts
)

// format is how a result of SQL is written.
type format struct {
	name    string
	endings []string // of files, other than the name
	binary  bool     // not for a terminal
	keyed   bool     // columns' names are keys, so they must differ
	encoder func(out *bufio.Writer, o Options) encoder
}

func formats() []format {
	return []format{
		{name: FormatTable, encoder: func(out *bufio.Writer, o Options) encoder { return newSheet(out, o.Width) }},
		{name: FormatCSV, encoder: func(out *bufio.Writer, _ Options) encoder {
			return &delimited{out: out, field: appendCSV, between: ','}
		}},
		{name: FormatTSV, encoder: func(out *bufio.Writer, _ Options) encoder {
			return &delimited{out: out, field: appendTSV, between: '\t'}
		}},
		{name: FormatJSON, keyed: true, encoder: func(out *bufio.Writer, _ Options) encoder { return &objects{out: out, array: true} }},
		{name: FormatJSONL, endings: []string{"ndjson"}, keyed: true, encoder: func(out *bufio.Writer, _ Options) encoder { return &objects{out: out} }},
		{name: FormatMarkdown, endings: []string{"md"}, encoder: func(out *bufio.Writer, _ Options) encoder { return newMarkdown(out) }},
		{name: FormatParquet, binary: true, keyed: true, encoder: func(out *bufio.Writer, _ Options) encoder { return &parquetFile{out: out} }},
		{name: FormatArrow, endings: []string{"arrows"}, binary: true, keyed: true, encoder: func(out *bufio.Writer, _ Options) encoder { return &arrowStream{out: out} }},
		{name: FormatValue, encoder: func(out *bufio.Writer, _ Options) encoder { return &single{out: out} }},
	}
}

// Formats lists the formats of Write.
func Formats() (names []string) {
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// Binary reports whether a format is not for a terminal.
func Binary(name string) bool {
	return slices.ContainsFunc(formats(), func(f format) bool { return f.name == name && f.binary })
}

// FormatOfEnding returns the format that a file's ending, without its dot,
// stands for; empty if none.
func FormatOfEnding(ending string) string {
	for _, f := range formats() {
		if f.name == ending || slices.Contains(f.endings, ending) {
			return f.name
		}
	}
	return ""
}

// CheckFormat reports that a format is not among those that an answer has.
func CheckFormat(name string, allowed []string) error {
	if slices.Contains(allowed, name) {
		return nil
	}
	return fmt.Errorf("no format %q: use one of %s", name, strings.Join(allowed, ", "))
}

func find(name string) (format, error) {
	for _, f := range formats() {
		if f.name == name {
			return f, nil
		}
	}
	return format{}, CheckFormat(name, Formats())
}
