// Package resultset writes the rows that a query returns: as a table for
// people, and as csv, json, jsonl and markdown for programs and documents.
package resultset

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/google/uuid"
)

// text writes a value as people read it: what DuckDB's own text would be,
// times as RFC 3339 in UTC, lists, structs and maps as JSON. dbType is the
// column's type.
func text(v any, dbType string) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return float(v, 64)
	case float32:
		return float(float64(v), 32)
	case []byte:
		if dbType == "UUID" && len(v) == 16 {
			return uuid.UUID(v).String()
		}
		return `\x` + hex.EncodeToString(v)
	case time.Time:
		return moment(v, dbType)
	case *big.Int, bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, int, uint:
		return fmt.Sprint(v)
	case duckdb.Decimal:
		return decimal(v)
	case duckdb.UUID:
		return uuid.UUID(v).String()
	case duckdb.Interval:
		return interval(v)
	}
	b, err := appendJSON(nil, v, dbType)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func float(v float64, bits int) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(v, 'g', -1, bits)
}

func moment(t time.Time, dbType string) string {
	switch dbType {
	case "DATE":
		return t.UTC().Format(time.DateOnly)
	case "TIME":
		return t.UTC().Format("15:04:05.999999")
	case "TIMETZ", "TIME WITH TIME ZONE":
		return t.Format("15:04:05.999999Z07:00")
	case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00")
	}
	return t.UTC().Format("2006-01-02T15:04:05.999999999")
}

// decimal writes all digits, the zeros at the end of the scale too.
func decimal(d duckdb.Decimal) string {
	digits := new(big.Int).Abs(d.Value).String()
	if scale := int(d.Scale); scale > 0 {
		if len(digits) <= scale {
			digits = strings.Repeat("0", scale-len(digits)+1) + digits
		}
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if d.Value.Sign() < 0 {
		digits = "-" + digits
	}
	return digits
}

// interval writes ISO 8601, in the three parts that DuckDB keeps.
func interval(i duckdb.Interval) string {
	seconds := time.Duration(i.Micros) * time.Microsecond
	s := "P"
	if i.Months != 0 {
		s += fmt.Sprintf("%dM", i.Months)
	}
	if i.Days != 0 {
		s += fmt.Sprintf("%dD", i.Days)
	}
	if seconds != 0 || s == "P" {
		s += "T" + strconv.FormatFloat(seconds.Seconds(), 'f', -1, 64) + "S"
	}
	return s
}

// appendJSON appends a value as JSON. What JSON has no number for (NaN,
// infinities) becomes a string; decimals and huge integers stay exact numbers.
func appendJSON(b []byte, v any, dbType string) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return appendString(b, float(v, 64))
		}
		return append(b, float(v, 64)...), nil
	case float32:
		return appendJSON(b, float64(v), dbType)
	case int8, int16, int32, int64, uint8, uint16, uint32, uint64, int, uint, *big.Int:
		return fmt.Append(b, v), nil
	case duckdb.Decimal:
		return append(b, decimal(v)...), nil
	case []any:
		return appendList(b, v)
	case map[string]any: // a struct
		return appendObject(b, v)
	case duckdb.Map:
		fields := make(map[string]any, len(v))
		for key, value := range v {
			fields[text(key, "")] = value
		}
		return appendObject(b, fields)
	case duckdb.OrderedMap:
		b = append(b, '{')
		for i, key := range v.Keys() {
			if i > 0 {
				b = append(b, ',')
			}
			value, _ := v.Get(key)
			var err error
			if b, err = appendField(b, text(key, ""), value); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case string, []byte, time.Time, duckdb.UUID, duckdb.Interval:
		return appendString(b, text(v, dbType))
	case fmt.Stringer:
		return appendString(b, v.String())
	}
	more, err := json.Marshal(v)
	return append(b, more...), err
}

func appendList(b []byte, list []any) ([]byte, error) {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, v, ""); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendObject(b []byte, fields map[string]any) ([]byte, error) {
	keys := make([]string, 0, len(fields))
	for key := range fields {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendField(b, key, fields[key]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendField(b []byte, key string, v any) ([]byte, error) {
	b, err := appendString(b, key)
	if err != nil {
		return nil, err
	}
	return appendJSON(append(b, ':'), v, "")
}

// appendString quotes as JSON does, but leaves < and > as they are.
func appendString(b []byte, s string) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil, err
	}
	return append(b, bytes.TrimRight(out.Bytes(), "\n")...), nil
}
