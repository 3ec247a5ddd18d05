package canvas

import (
	"image/color"
	"math"
	"strconv"
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

// The two fonts are parsed on first use. gonum's own cache parses twelve when a
// process starts, even if it draws nothing.
var (
	sansRegular = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(liberationsansregular.TTF) })
	sansBold    = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(liberationsansbold.TTF) })
)

// Regular is Liberation Sans at a size in points.
func Regular(size vg.Length) *font.Face {
	parsed, err := sansRegular()
	return face(parsed, err, stdfont.WeightNormal, size)
}

// Bold is Liberation Sans Bold at a size in points.
func Bold(size vg.Length) *font.Face {
	parsed, err := sansBold()
	return face(parsed, err, stdfont.WeightBold, size)
}

func face(parsed *opentype.Font, err error, weight stdfont.Weight, size vg.Length) *font.Face {
	if err != nil {
		panic(err) // the font is embedded
	}
	return &font.Face{Face: parsed, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: size}}
}

// Printable replaces what a line of text cannot show: spaces of any kind become
// a space, unprintable characters and invalid UTF-8 a question mark.
func Printable(s string) string {
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

// printableLines is Printable for each line of s.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Printable(line)
	}
	return strings.Join(lines, "\n")
}

// Align is where text lies relative to its point: the fraction of its width by
// which it is moved.
type Align float64

const (
	AtLeft   Align = 0 // the text begins at the point
	AtMiddle Align = -0.5
	AtRight  Align = -1
)

// Text draws one line of text, vertically centred on pt and aligned to it.
func Text(c vg.Canvas, f *font.Face, ink color.Color, pt vg.Point, at Align, s string) {
	if s == "" {
		return
	}
	c.SetColor(ink)
	c.FillString(*f, vg.Point{X: pt.X + vg.Length(at)*f.Width(s), Y: pt.Y - capHeight(f)/2}, s)
}

// TextUp draws one line of text that runs upwards, centred on pt.
func TextUp(c vg.Canvas, f *font.Face, ink color.Color, pt vg.Point, s string) {
	c.Push()
	c.Translate(pt)
	c.Rotate(math.Pi / 2)
	Text(c, f, ink, vg.Point{}, AtMiddle, s)
	c.Pop()
}

// capHeight is the height of a capital letter of Liberation Sans.
func capHeight(f *font.Face) vg.Length { return f.Font.Size * 0.69 }

// Wrap breaks s between words into lines of at most width. It shortens words that
// are longer.
func Wrap(f *font.Face, s string, width vg.Length) []string {
	var lines []string
	for _, word := range strings.Fields(s) {
		word = Shorten(f, word, width)
		if n := len(lines) - 1; n >= 0 && f.Width(lines[n]+" "+word) <= width {
			lines[n] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// Shorten replaces the middle of s with an ellipsis if s is wider than width. The
// middle, because names of models differ at their ends.
func Shorten(f *font.Face, s string, width vg.Length) string {
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

// ShortenAll shortens names and numbers those that would become equal, so that
// different names stay different.
func ShortenAll(f *font.Face, names []string, width vg.Length) []string {
	short := make([]string, len(names))
	owner := map[string]string{}
	for i, name := range names {
		short[i] = Shorten(f, name, width)
		for n := 2; ; n++ {
			if first, taken := owner[short[i]]; !taken || first == name {
				break
			}
			mark := " (" + strconv.Itoa(n) + ")"
			short[i] = Shorten(f, name, width-f.Width(mark)) + mark
		}
		owner[short[i]] = name
	}
	return short
}
