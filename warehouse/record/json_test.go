package record_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/warehouse/record"
)

// Every column survives the trip, under its own name.
func TestRecordsAreObjectsOfTheirColumns(t *testing.T) {
	roundTrip[record.Load](t)
	roundTrip[record.Stage](t)
	roundTrip[record.IOTrace](t)
	roundTrip[record.Session](t)
	roundTrip[record.Inference](t)
}

func roundTrip[T any](t *testing.T) {
	t.Helper()
	var want, got T
	columns := record.Columns(reflect.TypeFor[T]())
	for _, c := range columns {
		fill(reflect.ValueOf(&want).Elem().FieldByIndex(c.Index))
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		if !strings.Contains(string(text), `"`+c.Name+`":`) {
			t.Errorf("%T has no %s: %s", want, c.Name, text)
		}
	}
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: got %+v, want %+v", err, got, want)
	}
	var none T
	if text, err := json.Marshal(none); err != nil || string(text) != "{}" {
		t.Errorf("an empty %T is %s, %v", none, text, err)
	}
}

// fill sets a value that is not zero. A pointer points to a zero: 0 and NULL
// differ.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.String:
		v.SetString("a")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(0.1)
	}
}
