package render

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// appendText appends a value as people read it: as DuckDB's own text would be,
// but times as RFC 3339 in UTC, and lists, structs and maps as JSON. NULL is
// nothing.
func appendText(b []byte, column arrow.Array, i int) []byte {
	if column.IsNull(i) {
		return b
	}
	switch c := column.(type) {
	case *array.String:
		return append(b, c.Value(i)...)
	case *array.LargeString:
		return append(b, c.Value(i)...)
	case *array.Binary:
		return hex.AppendEncode(append(b, '\\', 'x'), c.Value(i))
	case *array.LargeBinary:
		return hex.AppendEncode(append(b, '\\', 'x'), c.Value(i))
	case *array.Float64:
		return appendFloat(b, c.Value(i), 64)
	case *array.Float32:
		return appendFloat(b, float64(c.Value(i)), 32)
	case *array.Decimal128:
		return appendDecimal(b, c.Value(i), c.DataType().(*arrow.Decimal128Type).Scale)
	case *array.Timestamp:
		return appendTimestamp(b, int64(c.Value(i)), c.DataType().(*arrow.TimestampType))
	case *array.Date32:
		return appendDate(b, int64(c.Value(i)))
	case *array.Time64:
		at := c.Value(i).ToTime(c.DataType().(*arrow.Time64Type).Unit)
		return at.AppendFormat(b, "15:04:05.999999999")
	case *array.MonthDayNanoInterval:
		return appendInterval(b, c.Value(i))
	case *array.Dictionary:
		return appendText(b, c.Dictionary(), c.GetValueIndex(i))
	case array.ExtensionArray:
		return appendText(b, c.Storage(), i)
	}
	if text, ok := appendInteger(b, column, i); ok {
		return text
	}
	return appendJSON(b, column, i)
}

func appendInteger(b []byte, column arrow.Array, i int) ([]byte, bool) {
	switch c := column.(type) {
	case *array.Boolean:
		return strconv.AppendBool(b, c.Value(i)), true
	case *array.Int64:
		return strconv.AppendInt(b, c.Value(i), 10), true
	case *array.Int32:
		return strconv.AppendInt(b, int64(c.Value(i)), 10), true
	case *array.Int16:
		return strconv.AppendInt(b, int64(c.Value(i)), 10), true
	case *array.Int8:
		return strconv.AppendInt(b, int64(c.Value(i)), 10), true
	case *array.Uint64:
		return strconv.AppendUint(b, c.Value(i), 10), true
	case *array.Uint32:
		return strconv.AppendUint(b, uint64(c.Value(i)), 10), true
	case *array.Uint16:
		return strconv.AppendUint(b, uint64(c.Value(i)), 10), true
	case *array.Uint8:
		return strconv.AppendUint(b, uint64(c.Value(i)), 10), true
	}
	return b, false
}

func appendFloat(b []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, "NaN"...)
	case math.IsInf(v, 1):
		return append(b, "Infinity"...)
	case math.IsInf(v, -1):
		return append(b, "-Infinity"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, bits)
}

// appendDecimal writes all digits, the zeros at the end of the scale too.
func appendDecimal(b []byte, v decimal128.Num, scale int32) []byte {
	if v.Sign() < 0 {
		b = append(b, '-')
		v = v.Negate()
	}
	begun := len(b)
	if v.HighBits() == 0 {
		b = strconv.AppendUint(b, v.LowBits(), 10)
	} else {
		b = v.BigInt().Append(b, 10)
	}
	if scale <= 0 {
		return b
	}
	for len(b)-begun <= int(scale) {
		b = slices.Insert(b, begun, '0')
	}
	return slices.Insert(b, len(b)-int(scale), '.')
}

func appendTimestamp(b []byte, v int64, t *arrow.TimestampType) []byte {
	// DuckDB's infinities are the ends of the range.
	switch v {
	case math.MaxInt64:
		return append(b, "infinity"...)
	case -math.MaxInt64:
		return append(b, "-infinity"...)
	}
	at := arrow.Timestamp(v).ToTime(t.Unit).UTC()
	if t.TimeZone != "" {
		return at.AppendFormat(b, "2006-01-02T15:04:05.999999Z07:00")
	}
	return at.AppendFormat(b, "2006-01-02T15:04:05.999999999")
}

func appendDate(b []byte, days int64) []byte {
	switch days {
	case math.MaxInt32:
		return append(b, "infinity"...)
	case -math.MaxInt32:
		return append(b, "-infinity"...)
	}
	return time.Unix(days*24*60*60, 0).UTC().AppendFormat(b, time.DateOnly)
}

// appendInterval writes ISO 8601, in the three parts that DuckDB keeps.
func appendInterval(b []byte, v arrow.MonthDayNanoInterval) []byte {
	b = append(b, 'P')
	if v.Months != 0 {
		b = fmt.Appendf(b, "%dM", v.Months)
	}
	if v.Days != 0 {
		b = fmt.Appendf(b, "%dD", v.Days)
	}
	if v.Nanoseconds != 0 || v.Months == 0 && v.Days == 0 {
		b = append(b, 'T')
		b = strconv.AppendFloat(b, time.Duration(v.Nanoseconds).Seconds(), 'f', -1, 64)
		b = append(b, 'S')
	}
	return b
}

// isNumber says that values of the type are aligned at their ends.
func isNumber(t arrow.DataType) bool {
	return arrow.IsInteger(t.ID()) || arrow.IsFloating(t.ID()) || arrow.IsDecimal(t.ID())
}
