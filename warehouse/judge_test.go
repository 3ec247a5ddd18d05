package warehouse_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/warehouse/lake"
	"github.com/sllmq/sllmq/warehouse/record"
)

// judged is a table as readers of Parquet in Python must find it: each value as
// text, NULL as null.
type judged struct {
	Key     []string         `json:"key"`
	Columns [][2]string      `json:"columns"` // name, type
	Rows    []map[string]any `json:"rows"`
}

// Values that readers are most likely to get wrong. Minus zero is missing: a DuckDB
// file stores it as zero.
var (
	awkwardTexts  = []string{"plain", "", "quote' \" \\ , ; \t\n\r end", "日本語 ü 🙂 e\u0301", "null", "NaN", "42", "2026-01-01", strings.Repeat("long ", 20_000), "\x01 control"}
	awkwardInts   = []int64{0, -1, math.MaxInt64, math.MinInt64, 1<<53 + 1, 250_000_000}
	awkwardFloats = []float64{0, 0.1, -1.5, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(), 1.0 / 3}
	awkwardTimes  = []time.Time{time.UnixMicro(1), time.Date(2026, 2, 28, 23, 59, 59, 999_999_000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(2026, 10, 25, 1, 30, 0, 1000, time.UTC)} // the last is in an hour that occurs twice in many places
	awkwardMaps = []map[string]string{nil, {}, {"key": "value"}, {"": "", "quote'\"": "a,b=c\n", "ü": "日本語 🙂"}}
)

// fill sets each field of row n to a value that differs from row to row. Every
// third row has NULL where it may.
func fill(t testing.TB, row reflect.Value, n int, ids map[string]string) {
	for i, c := range record.TableColumns(row.Type()) {
		field, name := row.FieldByIndex(c.Index), c.Name
		if field.Kind() == reflect.Pointer {
			if n%3 == 2 && name != "run_id" {
				continue
			}
			field.Set(reflect.New(field.Type().Elem()))
			field = field.Elem()
		}
		k := n + i
		switch v := field.Addr().Interface().(type) {
		case *string:
			switch {
			case name == "roofline_id", name == "collect_id":
				*v = newID(t)
			case ids[name] != "":
				*v = ids[name]
			case name == "machine":
				*v = awkwardTexts[n%len(awkwardTexts)][:min(40, len(awkwardTexts[n%len(awkwardTexts)]))]
			default:
				*v = awkwardTexts[k%len(awkwardTexts)]
			}
		case *int64:
			*v = awkwardInts[k%len(awkwardInts)]
			if name == "seq" || name == "session" || name == "chunk" {
				*v = int64(n)
			}
		case *float64:
			*v = awkwardFloats[k%len(awkwardFloats)]
		case *bool:
			*v = k%2 == 0
		case *time.Time:
			*v = awkwardTimes[k%len(awkwardTimes)]
		case *map[string]string:
			*v = awkwardMaps[n%len(awkwardMaps)]
		default:
			t.Fatalf("no value for %s of %s", name, row.Type())
		}
	}
}

// text is a value in the form that the judge compares.
func text(field reflect.Value) any {
	if field.Kind() == reflect.Pointer {
		if field.IsNil() {
			return nil
		}
		field = field.Elem()
	}
	switch v := field.Interface().(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return fmt.Sprintf("%016x", math.Float64bits(v))
	case bool:
		return v
	case time.Time:
		return strconv.FormatInt(v.UnixMicro(), 10)
	case map[string]string:
		if v == nil { // no map is an empty one
			return map[string]string{}
		}
		return v
	}
	return fmt.Sprintf("%T", field.Interface())
}

// TestJudge lets pyarrow, Polars, pandas and Spark read what is exported, as it
// stands and partitioned, and what a collector appends to a folder, and compare
// every value and type: SLLMQ_JUDGE_PYTHON names a Python that has them.
func TestJudge(t *testing.T) {
	python := os.Getenv("SLLMQ_JUDGE_PYTHON")
	if python == "" {
		t.Skip("SLLMQ_JUDGE_PYTHON names no Python with pyarrow, polars, pandas and pyspark")
	}
	var b record.Batch
	tables := map[string]*judged{}
	names := map[string]string{"Machines": "machines", "Runs": "runs", "Sessions": "sessions", "Loads": "loads", "Stages": "stages", "Inferences": "inferences", "Samples": "samples", "IOTraces": "io_trace", "Rooflines": "rooflines"}
	runs := make([]string, 12)
	for i := range runs {
		runs[i] = newID(t)
	}
	for field, table := range names {
		rows := reflect.ValueOf(&b).Elem().FieldByName(field)
		kind := rows.Type().Elem()
		j := &judged{Key: strings.Split(strings.ReplaceAll(keysOf[table], " ", ""), ",")}
		for _, c := range record.TableColumns(kind) {
			held := c.Type
			if held.Kind() == reflect.Pointer {
				held = held.Elem()
			}
			j.Columns = append(j.Columns, [2]string{c.Name, held.String()})
		}
		for n := range runs {
			row := reflect.New(kind).Elem()
			fill(t, row, n, map[string]string{"run_id": runs[n], "machine_id": fmt.Sprint("m", n), "stage": fmt.Sprint("s", n)})
			values := map[string]any{}
			for _, c := range record.TableColumns(kind) {
				values[c.Name] = text(row.FieldByIndex(c.Index))
			}
			j.Rows = append(j.Rows, values)
			rows.Set(reflect.Append(rows, row))
		}
		tables[table] = j
	}
	dir := t.TempDir()
	expected, err := json.Marshal(tables)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "expected.json"), expected, 0o644); err != nil {
		t.Fatal(err)
	}
	source, appended := filepath.Join(dir, "w.duckdb"), filepath.Join(dir, "appended")+"/"
	appendAll(t, source, []record.Batch{b})
	appendAll(t, appended, []record.Batch{b})
	mustExport(t, source, filepath.Join(dir, "plain"), lake.ExportOptions{})
	mustExport(t, source, filepath.Join(dir, "partitioned"), lake.ExportOptions{PartitionBy: []string{"month", "machine"}})
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("..", "scripts", "fixtures", "judge_parquet.py"), filepath.Join(dir, "expected.json"),
		filepath.Join(dir, "plain"), filepath.Join(dir, "partitioned"), appended)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
}
