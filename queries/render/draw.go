package render

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/olekukonko/ll"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
	"github.com/rivo/uniseg"
)

// Column is a column of a table.
type Column struct {
	Title string
	Width int  // at least, in columns of a terminal
	Right bool // align to the right, as numbers are
}

// columns is tablewriter's renderer for our tables: columns separated by
// spaces, without borders, or Markdown. tablewriter's own renderers measure
// text rune by rune, so that a flag or a family of emoji takes several times
// the columns that a terminal gives it; this one measures grapheme clusters.
type columns struct {
	columns  []Column
	gap      int // spaces between columns
	indent   int // spaces before a row
	rule     bool
	markdown bool

	out    io.Writer
	widths []int
	line   strings.Builder
	err    error // the first of out, which tablewriter does not look at
}

var _ tw.Renderer = (*columns)(nil)

// start starts a table whose columns have these widths. Cells must not be
// wider, but they may have several lines.
func (c *columns) start(out io.Writer, widths []int) (*tablewriter.Table, error) {
	c.out, c.widths = out, widths
	perColumn := tw.NewMapper[int, int]()
	for i, n := range widths {
		perColumn.Set(i, n)
	}
	t := tablewriter.NewTable(out,
		tablewriter.WithStreaming(tw.StreamConfig{Enable: true, StrictColumns: true}),
		tablewriter.WithRenderer(c))
	// The zero values of some options stand for defaults, so they are set here.
	t.Configure(func(config *tablewriter.Config) {
		config.Widths.PerColumn = perColumn
		config.Behavior = tw.Behavior{TrimSpace: tw.Off, TrimLine: tw.Off, TrimTab: tw.Off}
		for _, cell := range []*tw.CellConfig{&config.Header, &config.Row} {
			cell.Formatting = tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off}
			cell.Padding = tw.CellPadding{Global: tw.PaddingNone}
		}
	})
	return t, t.Start()
}

// titles are the columns' titles; nil if none has any.
func (c *columns) titles() (list []string) {
	named := false
	for _, column := range c.columns {
		list = append(list, column.Title)
		named = named || column.Title != ""
	}
	if !named {
		return nil
	}
	return list
}

// Start implements tw.Renderer.
func (c *columns) Start(io.Writer) error { return nil }

// Header draws the titles and the rule under them.
func (c *columns) Header(titles [][]string, _ tw.Formatting) {
	for _, line := range titles {
		c.Row(line, tw.Formatting{})
	}
	if !c.rule && !c.markdown {
		return
	}
	var dashes []string
	for i, column := range c.columns {
		rule := strings.Repeat("-", c.widths[i])
		if c.markdown && column.Right {
			rule = rule[1:] + ":"
		}
		dashes = append(dashes, rule)
	}
	c.Row(dashes, tw.Formatting{})
}

// Row draws one line of a row.
func (c *columns) Row(cells []string, _ tw.Formatting) {
	c.line.Reset()
	first, between, last := strings.Repeat(" ", c.indent), strings.Repeat(" ", c.gap), ""
	if c.markdown {
		first, between, last = "| ", " | ", " |"
	}
	for i, cell := range cells {
		if i == 0 {
			c.line.WriteString(first)
		} else {
			c.line.WriteString(between)
		}
		pad := strings.Repeat(" ", max(0, c.widths[i]-width(cell)))
		if c.columns[i].Right {
			c.line.WriteString(pad + cell)
		} else {
			c.line.WriteString(cell + pad)
		}
	}
	c.write(c.line.String() + last)
}

// write writes a line without spaces at its end.
func (c *columns) write(line string) {
	if c.err == nil {
		_, c.err = io.WriteString(c.out, strings.TrimRight(line, " ")+"\n")
	}
}

// Footer implements tw.Renderer. There are no footers.
func (c *columns) Footer([][]string, tw.Formatting) {}

// Line implements tw.Renderer. Header draws the only rule.
func (c *columns) Line(tw.Formatting) {}

// Config implements tw.Renderer.
func (c *columns) Config() tw.Rendition { return tw.Rendition{Streaming: true} }

// Close implements tw.Renderer.
func (c *columns) Close() error { return c.err }

// Logger implements tw.Renderer.
func (c *columns) Logger(*ll.Logger) {}

// width is how many columns of a terminal a text takes: that of its longest
// line.
func width(s string) (columns int) {
	for line := range strings.SplitSeq(s, "\n") {
		n := len(line)
		if strings.ContainsFunc(line, func(r rune) bool { return r >= utf8.RuneSelf }) {
			n = uniseg.StringWidth(line)
		}
		columns = max(columns, n)
	}
	return columns
}

// cut keeps the beginning of a text of one line, so that it takes no more than
// width columns, with an ellipsis where there was more.
func cut(s string, columns int) string {
	if width(s) <= columns {
		return s
	}
	kept, rest, state := 0, s, -1
	for used := 0; len(rest) > 0; {
		var cluster string
		var n int
		cluster, rest, n, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used += n; used > columns-1 {
			break
		}
		kept += len(cluster)
	}
	return s[:kept] + "…"
}
