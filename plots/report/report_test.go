package report

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/sllmq/sllmq/queries"
)

func written(t *testing.T, models int, change func(*Options)) string {
	t.Helper()
	o := DefaultOptions()
	o.Warehouse, o.Version, o.At = "made.duckdb", "v0", time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	if change != nil {
		change(&o)
	}
	r, err := Gather(t.Context(), made(t, models).SQL(), o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// seen is what an HTML parser finds on a page.
type seen struct {
	elements map[string]int
	ids      map[string]int
	text     string
}

// look parses a page and checks what must hold for every report: it loads nothing,
// runs nothing, and every link has its target.
func look(t *testing.T, page string) seen {
	t.Helper()
	s := seen{elements: map[string]int{}, ids: map[string]int{}}
	var text strings.Builder
	var pointers []string
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				t.Fatal(z.Err())
			}
			s.text = text.String()
			for _, p := range pointers {
				if s.ids[p] != 1 {
					t.Errorf("target #%s exists %d times", p, s.ids[p])
				}
			}
			return s
		case html.TextToken:
			text.WriteString(html.UnescapeString(string(z.Raw())))
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			s.elements[token.Data]++
			for _, a := range token.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on"):
					t.Errorf("<%s %s=%q> would run", token.Data, a.Key, a.Val)
				case a.Key == "id":
					s.ids[a.Val]++
				case a.Key == "href" || a.Key == "xlink:href" || a.Key == "src":
					if target, ok := strings.CutPrefix(a.Val, "#"); ok {
						pointers = append(pointers, target)
					} else if a.Val != "data:," {
						t.Errorf("<%s %s=%q> loads something", token.Data, a.Key, a.Val)
					}
				case strings.HasPrefix(a.Key, "xmlns"):
				case strings.Contains(a.Val, "://"):
					t.Errorf("<%s %s=%q> names a host", token.Data, a.Key, a.Val)
				}
			}
		}
	}
}

func TestAPageIsSelfContained(t *testing.T) {
	for name, models := range map[string]int{"one model": 1, "three": 3, "thirty": 30} {
		t.Run(name, func(t *testing.T) {
			page := written(t, models, nil)
			s := look(t, page)
			for _, element := range []string{"script", "img", "iframe", "object", "embed", "base"} {
				if s.elements[element] != 0 {
					t.Errorf("%d <%s>", s.elements[element], element)
				}
			}
			for id, n := range s.ids {
				if n != 1 {
					t.Errorf("id %s exists %d times", id, n)
				}
			}
			if s.elements["svg"] != 2*9 { // nine kinds, for a page and for a phone
				t.Errorf("%d pictures", s.elements["svg"])
			}
			for _, part := range []string{"Summary", "Comparisons", "Failures", "Pictures", "Environment", "A CPU, 8 CPUs", "64.00 GiB", "storage 6.00 GB/s", "as fast as SafeTensors mmap-parallel by means",
				"2 of 16 sllm loads failed", "worker died: " + hostile, "FROM load_facts", "From made.duckdb: all loads. Written 2026-03-04 05:06 UTC by sllmq v0."} {
				if !strings.Contains(s.text, part) {
					t.Errorf("no text %q on the page", part)
				}
			}
			if strings.Contains(page, "<script") || strings.Contains(page, "<img") {
				t.Error("a name became an element")
			}
		})
	}
}

// Every statement on the page runs as it is.
func TestTheSQLOnThePageRuns(t *testing.T) {
	o := DefaultOptions()
	o.By = []string{"format", "tag:night"}
	o.Filter = queries.Filter{Models: []string{hostile, "made-up/model-01", "made-up/$models"}, Tags: map[string]string{"night": "1"}, Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Where: "loader <> 'raw' -- not served"}
	db := made(t, 3).SQL()
	r, err := Gather(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	statements := []string{r.statements["machines"], r.statements["summary"], r.statements["failures"]}
	for _, c := range r.comparisons {
		statements = append(statements, c.statement)
	}
	for _, p := range r.pictures {
		statements = append(statements, p.statement)
	}
	for _, statement := range statements {
		if strings.Contains(statement, "$since") {
			t.Errorf("a parameter is not filled in: %s", statement)
		}
		rows, err := db.QueryContext(t.Context(), statement)
		if err != nil {
			t.Errorf("%v: %s", err, statement)
			continue
		}
		n := 0
		for rows.Next() {
			n++
		}
		if rows.Err() != nil || n == 0 && !strings.Contains(statement, "FROM samples") && !strings.Contains(statement, "was sampled") {
			t.Errorf("%d rows (%v): %s", n, rows.Err(), statement)
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(r.summary) != 4 || r.summary[0].Loads > 8 { // two models, one night
		t.Errorf("the filter let through %+v", r.summary)
	}
}

func TestAnEmptyReportSaysSo(t *testing.T) {
	for name, page := range map[string]string{
		"an empty warehouse": written(t, 0, nil),
		"nothing chosen":     written(t, 1, func(o *Options) { o.Filter.Models = []string{"none"} }),
	} {
		s := look(t, page)
		if !strings.Contains(s.text, "No load matches the filter") || s.elements["table"] != 0 || s.elements["svg"] != 0 {
			t.Errorf("%s: %s", name, s.text)
		}
	}
}

func TestAnImpossibleComparisonSaysWhy(t *testing.T) {
	page := written(t, 1, func(o *Options) { o.By = []string{"device"}; o.Title = "Mine <b>" })
	s := look(t, page)
	_, body, _ := strings.Cut(s.text, "</style>")
	for _, part := range []string{"By device", `all loads are of device "host"`, "Mine <b>"} {
		if !strings.Contains(s.text, part) {
			t.Errorf("no text %q on the page: %.2000s", part, body)
		}
	}
	o := DefaultOptions()
	o.By = []string{"colour"}
	if _, err := Gather(t.Context(), made(t, 1).SQL(), o); err == nil || !strings.Contains(err.Error(), `no column or tag "colour"`) {
		t.Error(err)
	}
}
