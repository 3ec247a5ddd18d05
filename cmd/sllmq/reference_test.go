package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// referenceResults names a folder with raw files of the reference's benchmark, as
// they were published: MACHINE/.../MODEL_FORMAT_REPLICAS_TYPE.json.
const referenceResults = "SLLMQ_REFERENCE_RESULTS"

// published is what a raw file says, read without any of the program's code.
type published struct {
	path, machine, model, format, benchmarkType string
	loads                                       int
	mean, least, most                           float64
}

func (p published) key() string {
	return strings.Join([]string{p.machine, p.model, p.benchmarkType, p.format}, " ")
}

func readPublished(t *testing.T, root, path string) published {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var loads []map[string]any
	if err := json.Unmarshal(text, &loads); err != nil || len(loads) == 0 {
		t.Fatalf("%s: %d loads, %v", path, len(loads), err)
	}
	within, err := filepath.Rel(root, path)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(strings.TrimSuffix(filepath.Base(path), ".json"), "_")
	name := loads[0]["model_name"].(string)
	p := published{
		path: path, machine: strings.Split(within, string(filepath.Separator))[0], model: name[:strings.LastIndexByte(name, '_')],
		format: strings.Replace(parts[len(parts)-3], "phantom", "sllm", 1), benchmarkType: parts[len(parts)-1],
		loads: len(loads), least: math.Inf(1),
	}
	for _, l := range loads {
		seconds := l["loading_time"].(float64)
		p.mean += seconds / float64(len(loads))
		p.least, p.most = min(p.least, seconds), max(p.most, seconds)
	}
	return p
}

// TestPublishedResultsGiveTheirFigures imports what was published and wants of
// summary, compare and the picture what the files say by themselves. The files are
// not part of the project.
func TestPublishedResultsGiveTheirFigures(t *testing.T) {
	root := os.Getenv(referenceResults)
	if root == "" {
		t.Skip("no folder of published results: set " + referenceResults)
	}
	files := map[string]published{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".json" {
			p := readPublished(t, root, path)
			files[p.key()] = p
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s, %v", len(files), root, err)
	}
	b := newBench(t)
	run := func(args ...string) string {
		t.Helper()
		cmd := b.command(args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("sllmq %s: %v", strings.Join(args, " "), err)
		}
		return string(out)
	}
	for _, p := range files {
		run("import", "--machine", p.machine, p.path)
	}

	rows := table(t, run("summary", "--format", "csv"))
	if len(rows) != len(files) {
		t.Errorf("%d rows of a summary of %d files", len(rows), len(files))
	}
	for _, r := range rows {
		p, ok := files[strings.Join([]string{r["machine"], r["model"], r["benchmark_type"], r["format"]}, " ")]
		if !ok || r["loads"] != strconv.Itoa(p.loads) || !near(r["mean_s"], p.mean) || !near(r["min_s"], p.least) || !near(r["max_s"], p.most) {
			t.Errorf("%v\nthe files say %+v", r, p)
		}
		t.Logf("%s: mean %.3f s, %.3f to %.3f s", p.key(), p.mean, p.least, p.most)
	}

	factors := map[string]float64{}
	for _, p := range files {
		other := p
		other.format = "safetensors"
		if s, ok := files[other.key()]; ok && p.format == "sllm" {
			pair := strings.Join([]string{p.machine, p.model, p.benchmarkType}, "; ")
			factors[pair] = s.mean / p.mean
			t.Logf("%s: %.2fx", pair, factors[pair])
		}
	}
	rows = table(t, run("compare", "--by", "format", "--format", "csv"))
	rows = slices.DeleteFunc(rows, func(r map[string]string) bool { return r["row"] != "pair" })
	if len(rows) != len(factors) {
		t.Errorf("%d pairs of %d", len(rows), len(factors))
	}
	for _, r := range rows {
		group := strings.Split(r["group"], "; ") // device and engine follow
		factor := factors[strings.Join(group[:min(3, len(group))], "; ")]
		if r["baseline"] != "safetensors" || r["arm"] != "sllm" || !near(r["ratio_of_means"], 1/factor) {
			t.Errorf("%v\nthe files say 1/%v", r, factor)
		}
	}

	picture := run("plot", "bars", "--format", "svg")
	text := run("summary")
	for _, factor := range factors {
		if drawn := fmt.Sprintf("%.2f×", factor); !strings.Contains(picture, drawn) {
			t.Errorf("%s is not in the picture", drawn)
		}
		if line := fmt.Sprintf("SLLM Speedup: %.2fx faster than SafeTensors", factor); !strings.Contains(text, line) {
			t.Errorf("the summary does not say %q: %s", line, text)
		}
	}
}

// near says whether a number in text is another, but for the rounding of a sum.
func near(text string, want float64) bool {
	got, err := strconv.ParseFloat(text, 64)
	return err == nil && math.Abs(got-want) <= 1e-9*math.Abs(want)
}

// table is csv with a header, a map a row.
func table(t *testing.T, text string) (rows []map[string]string) {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(all) < 2 {
		t.Fatalf("%d rows, %v: %s", len(all), err, text)
	}
	for _, fields := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = fields[i]
		}
		rows = append(rows, row)
	}
	return rows
}
