package plots

import (
	"image/color"
	"math"
	"strings"
	"sync"
	"unicode"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	stdfont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// Sizes of text in points.
const (
	titleSize = 11
	labelSize = 9
	tickSize  = 8
	smallSize = 7
)

// The two fonts are parsed on first use: gonum's own cache parses twelve at
// the start of every process, which also costs commands that draw nothing.
var (
	sansRegular = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(liberationsansregular.TTF) })
	sansBold    = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(liberationsansbold.TTF) })
)

func regular(size vg.Length) *font.Face {
	parsed, err := sansRegular()
	return face(parsed, err, stdfont.WeightNormal, size)
}

func bold(size vg.Length) *font.Face {
	parsed, err := sansBold()
	return face(parsed, err, stdfont.WeightBold, size)
}

func face(parsed *opentype.Font, err error, weight stdfont.Weight, size vg.Length) *font.Face {
	if err != nil {
		panic(err) // the font is part of the program
	}
	return &font.Face{Face: parsed, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: size}}
}

// printable is s without what a line of text cannot show: names come from
// outside.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		return '?'
	}, strings.ToValidUTF8(s, "?"))
}

// printableLines is the same of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// Where text stands beside its point.
const (
	atLeft   = 0.0 // the text begins at the point
	atMiddle = -0.5
	atRight  = -1.0
)

// write draws one line of text, centred on pt's height, and moved by align of
// its width.
func write(c vg.Canvas, f *font.Face, ink color.Color, pt vg.Point, align float64, s string) {
	if s == "" {
		return
	}
	c.SetColor(ink)
	c.FillString(*f, vg.Point{X: pt.X + vg.Length(align)*f.Width(s), Y: pt.Y - capHeight(f)/2}, s)
}

// writeUp draws one line of text that runs upwards, its middle at pt.
func writeUp(c vg.Canvas, f *font.Face, ink color.Color, pt vg.Point, s string) {
	c.Push()
	c.Translate(pt)
	c.Rotate(math.Pi / 2)
	write(c, f, ink, vg.Point{}, atMiddle, s)
	c.Pop()
}

// capHeight is the height of a capital letter of Liberation Sans.
func capHeight(f *font.Face) vg.Length { return f.Font.Size * 0.69 }

// wrap breaks s between words into lines of at most width; a longer word is
// shortened.
func wrap(f *font.Face, s string, width vg.Length) []string {
	var lines []string
	for _, word := range strings.Fields(s) {
		word = shorten(f, word, width)
		if n := len(lines) - 1; n >= 0 && f.Width(lines[n]+" "+word) <= width {
			lines[n] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// shorten takes runes out of the middle of s until it is at most width wide:
// names of models differ at their ends.
func shorten(f *font.Face, s string, width vg.Length) string {
	if f.Width(s) <= width {
		return s
	}
	runes := []rune(s)
	for keep := min(len(runes)-1, 500); keep > 1; keep-- {
		head := keep / 2
		short := strings.TrimRight(string(runes[:head]), " ") + "…" + strings.TrimLeft(string(runes[len(runes)-keep+head:]), " ")
		if f.Width(short) <= width {
			return short
		}
	}
	return "…"
}

// shortenAll shortens names and keeps them apart: those that would look alike
// are numbered.
func shortenAll(f *font.Face, names []string, width vg.Length) []string {
	short := make([]string, len(names))
	owner := map[string]string{}
	for i, name := range names {
		short[i] = shorten(f, name, width)
		for n := 2; ; n++ {
			if first, taken := owner[short[i]]; !taken || first == name {
				break
			}
			mark := " (" + itoa(n) + ")"
			short[i] = shorten(f, name, width-f.Width(mark)) + mark
		}
		owner[short[i]] = name
	}
	return short
}
