package plots

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"image"
	_ "image/png"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/plots/canvas"
)

// Texts of every picture, at the width of a page and of a column, stay on the page and
// do not cover each other.
func TestEveryPictureIsReadable(t *testing.T) {
	for name, draw := range madePictures() {
		for _, width := range []float64{3.3, 7} {
			t.Run(fmt.Sprintf("%s/%g", name, width), func(t *testing.T) {
				t.Parallel()
				p, err := draw()
				if err != nil {
					t.Fatal(err)
				}
				page := parseSVG(t, encode(t, p, "svg", Options{WidthIn: width}))
				if len(page.texts) < 4 {
					t.Errorf("only %d texts", len(page.texts))
				}
				for i, a := range page.texts {
					if a.box.minX < -0.5 || a.box.maxX > page.width+0.5 || a.box.minY < -0.5 || a.box.maxY > page.height+0.5 {
						t.Errorf("%q is cut off at the page's edge: %v", a.text, a.box)
					}
					for _, b := range page.texts[:i] {
						if a.box.meets(b.box) {
							t.Errorf("%q covers %q", a.text, b.text)
						}
					}
				}
				if page.title != canvas.Printable(p.Title()) {
					t.Errorf("title %q, want %q", page.title, p.Title())
				}
			})
		}
	}
}

func TestEveryPictureInEveryFormat(t *testing.T) {
	for name, draw := range madePictures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := draw()
			if err != nil {
				t.Fatal(err)
			}
			o := Options{WidthIn: 6, DPI: 50}
			config, kind, err := image.DecodeConfig(bytes.NewReader(encode(t, p, "png", o)))
			if err != nil || kind != "png" || config.Width != 300 || math.Abs(float64(config.Height)-p.HeightIn(6)*50) > 1 {
				t.Errorf("png: %s, %d by %d, %v", kind, config.Width, config.Height, err)
			}
			doc := encode(t, p, "pdf", o)
			if !bytes.HasPrefix(doc, []byte("%PDF-")) || !bytes.HasSuffix(bytes.TrimSpace(doc), []byte("%%EOF")) {
				t.Error("the pdf has no header or no trailer")
			}
			if !bytes.Contains(doc, []byte("/FontFile2")) {
				t.Error("the pdf has no embedded font")
			}
			if !bytes.Equal(doc, encode(t, p, "pdf", o)) {
				t.Error("encoding the same picture twice gives different pdfs")
			}
			rows, err := csv.NewReader(bytes.NewReader(encode(t, p, "csv", o))).ReadAll()
			if err != nil || len(rows) != len(p.Rows()) || len(rows) < 2 {
				t.Errorf("csv: %d rows of %d, %v", len(rows), len(p.Rows()), err)
			}
		})
	}
}

func encode(t *testing.T, p *Picture, format string, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, p, format, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnreadableSizesAreRefused(t *testing.T) {
	p, err := DrawBars(madeBars(2))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		format string
		Options
	}{
		{"jpeg", DefaultOptions()}, {"", DefaultOptions()}, {"svg", Options{WidthIn: 1}}, {"svg", Options{WidthIn: 7, HeightIn: 0.5}}, {"svg", Options{WidthIn: math.NaN()}},
		{"png", Options{WidthIn: 7}}, {"png", Options{WidthIn: 200, DPI: 2400}}, {"pdf", Options{WidthIn: 7, HeightIn: 1e9}},
	} {
		if err := Encode(io.Discard, p, c.format, c.Options); err == nil {
			t.Errorf("%+v: no error", c)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than one line: %v", err)
		}
	}
}

// A picture has the height asked for, and its texts do not cover each other.
func TestHeight(t *testing.T) {
	p, err := DrawBars(madeBars(5))
	if err != nil {
		t.Fatal(err)
	}
	natural := p.HeightIn(7)
	for _, height := range []float64{natural * 0.85, natural * 1.7} {
		page := parseSVG(t, encode(t, p, "svg", Options{WidthIn: 7, HeightIn: height}))
		if math.Abs(page.height-72*height) > 0.1 {
			t.Errorf("%g points high, want %g", page.height, 72*height)
		}
		for i, a := range page.texts {
			for _, b := range page.texts[:i] {
				if a.box.meets(b.box) {
					t.Errorf("at %.1f inches %q covers %q", height, a.text, b.text)
				}
			}
		}
	}
}

// page is what the tests look at in an SVG.
type page struct {
	width, height float64
	title         string
	hovers        []string
	texts         []placedText
	fills         map[string]int // paths by colour
	lines         map[string]int
	places        map[string]box // around what has a hover text
}

type placedText struct {
	text string
	box  box
}

type box struct{ minX, minY, maxX, maxY float64 }

// meets reports whether two boxes overlap by more than rounding errors.
func (b box) meets(o box) bool {
	const hair = 0.3
	return b.minX+hair < o.maxX && o.minX+hair < b.maxX && b.minY+hair < o.maxY && o.minY+hair < b.maxY
}

func parseSVG(t *testing.T, raw []byte) page {
	t.Helper()
	p := page{fills: map[string]int{}, lines: map[string]int{}, places: map[string]box{}}
	d := xml.NewDecoder(bytes.NewReader(raw))
	shapes := map[string][]map[string]string{} // paths by the id that they are used by
	stamp, hover := "", ""
	for {
		token, err := d.Token()
		if err == io.EOF {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		if end, ok := token.(xml.EndElement); ok && end.Name.Local == "g" {
			stamp, hover = "", "" // groups are not nested
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		attr := map[string]string{}
		for _, a := range start.Attr {
			attr[a.Name.Local] = a.Value
		}
		scan := func(s, format string, into ...any) {
			if _, err := fmt.Sscanf(s, format, into...); err != nil {
				t.Fatalf("%q: %v", s, err)
			}
		}
		switch start.Name.Local {
		case "svg":
			var x, y float64
			scan(attr["viewBox"], "%g %g %g %g", &x, &y, &p.width, &p.height)
		case "title":
			var text string
			if err := d.DecodeElement(&text, &start); err != nil {
				t.Fatal(err)
			}
			if p.title == "" {
				p.title = text
			} else {
				p.hovers = append(p.hovers, text)
				hover = text
			}
		case "path":
			switch {
			case attr["id"] != "":
				shapes["#"+attr["id"]] = nil
			case stamp != "":
				shapes[stamp] = append(shapes[stamp], attr)
			default:
				p.count(attr)
				p.place(t, hover, attr["d"])
			}
			if strings.Contains(attr["d"], "NaN") || strings.Contains(attr["d"], "Inf") {
				t.Errorf("a path has coordinates that are not finite: %s", attr["d"])
			}
		case "use":
			parts, ok := shapes[attr["href"]]
			if !ok {
				t.Errorf("no shape %s", attr["href"])
			}
			for _, part := range parts {
				p.count(part)
			}
			p.place(t, hover, attr["x"]+","+attr["y"])
		case "g":
			if attr["id"] != "" {
				stamp = "#" + attr["id"]
				shapes[stamp] = nil
			}
		case "text":
			var text string
			if err := d.DecodeElement(&text, &start); err != nil {
				t.Fatal(err)
			}
			var a, b, c, d, e, f, size, length float64 // the matrix as SVG names it
			scan(attr["transform"], "matrix(%g %g %g %g %g %g)", &a, &b, &c, &d, &e, &f)
			scan(attr["font-size"], "%g", &size)
			scan(attr["textLength"], "%g", &length)
			around := box{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
			for _, corner := range [][2]float64{{0, 0.05 * size}, {length, -0.69 * size}} { // baseline to capital letters
				x, y := a*corner[0]+c*corner[1]+e, b*corner[0]+d*corner[1]+f
				around = box{math.Min(around.minX, x), math.Min(around.minY, y), math.Max(around.maxX, x), math.Max(around.maxY, y)}
			}
			p.texts = append(p.texts, placedText{text, around})
		}
	}
}

// place extends the box around what has a hover text by the points of a path.
func (p page) place(t *testing.T, hover, path string) {
	t.Helper()
	if hover == "" {
		return
	}
	around, seen := p.places[hover]
	if !seen {
		around = box{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	}
	for _, pair := range strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune("MLQCZ ", r) }) {
		var x, y float64
		if _, err := fmt.Sscanf(pair, "%g,%g", &x, &y); err != nil {
			t.Fatalf("%q: %v", pair, err)
		}
		around = box{math.Min(around.minX, x), math.Min(around.minY, y), math.Max(around.maxX, x), math.Max(around.maxY, y)}
	}
	p.places[hover] = around
}

// at is the place of what has a hover text.
func (p page) at(t *testing.T, hover string) box {
	t.Helper()
	around, ok := p.places[hover]
	if !ok {
		t.Fatalf("nothing has the hover text %q: there are %q", hover, p.hovers)
	}
	return around
}

// count counts a path by its colour.
func (p page) count(path map[string]string) {
	if path["fill"] == "none" {
		p.lines[path["stroke"]]++
	} else {
		p.fills[path["fill"]]++
	}
}

func (p page) has(text string) bool {
	for _, t := range p.texts {
		if t.text == text {
			return true
		}
	}
	return false
}
