package pyjson

import (
	"encoding/json"
	"testing"
)

func TestConstants(t *testing.T) {
	for _, text := range []string{`{}`, `{"a": [NaN, -Infinity, Infinity, -1], "b": "NaN \" Infinity"}`, `NaN`} {
		standard := Standard([]byte(text))
		if !json.Valid(standard) {
			t.Errorf("Standard(%s) is not JSON: %s", text, standard)
		}
		if got := Restore(standard); string(got) != text {
			t.Errorf("Restore(Standard(%s)) = %s", text, got)
		}
	}
}

func TestUnmarshal(t *testing.T) {
	var v struct{ A, B int }
	if err := Unmarshal([]byte(`{"a": 1, "x": Infinity, "a": 2}`), &v); err != nil || v.A != 2 {
		t.Errorf("%+v, %v: want the last a", v, err)
	}
	for _, text := range []string{`{"b": NaN}`, `{"x": Nan}`, `{"x": -Inf}`} {
		if err := Unmarshal([]byte(text), &v); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}
