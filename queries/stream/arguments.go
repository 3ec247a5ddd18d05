package stream

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Literal is a value as a person wrote it. It gets the type that its place
// needs: 12 is a number in "seq < $n" and text in "model = $n". If the place takes
// any type, it is an integer, a number or a boolean if it looks like one, and
// otherwise text.
type Literal string

// ArgumentError reports a parameter whose value is missing or does not fit.
type ArgumentError struct{ Parameter, Problem string }

func (e *ArgumentError) Error() string { return "parameter " + e.Parameter + ": " + e.Problem }

const noValue = "it has no value"

// Missing reports whether the parameter has no value.
func (e *ArgumentError) Missing() bool { return e.Problem == noValue }

// arguments are values by the names of their parameters, which are numbers if
// the arguments have no names.
type arguments struct {
	values map[string]any
	used   map[string]bool
}

func newArguments(list []any) *arguments {
	a := &arguments{values: map[string]any{}, used: map[string]bool{}}
	for i, value := range list {
		if named, ok := value.(sql.NamedArg); ok {
			a.values[named.Name] = named.Value
		} else {
			a.values[strconv.Itoa(i+1)] = value
		}
	}
	return a
}

// unused refuses values that no statement used.
func (a *arguments) unused() error {
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		if !a.used[name] {
			return &ArgumentError{"$" + name, "not in the SQL"}
		}
	}
	return nil
}

func (a *arguments) bind(statement duckdb.PreparedStatement) error {
	for i := range duckdb.NParams(statement) {
		name := duckdb.ParameterName(statement, i+1)
		value, ok := a.values[name]
		if !ok {
			return &ArgumentError{"$" + name, noValue}
		}
		a.used[name] = true
		if literal, ok := value.(Literal); ok {
			value = literal.guess(duckdb.ParamType(statement, i+1))
		}
		state, err := bindValue(statement, i+1, value)
		if err != nil {
			return &ArgumentError{"$" + name, err.Error()}
		}
		if state == duckdb.StateError {
			return &ArgumentError{"$" + name, firstLine(duckdb.PrepareError(statement))}
		}
	}
	return nil
}

// guess chooses a type if the place has none. Otherwise DuckDB converts the text,
// or reports that it cannot.
func (l Literal) guess(expected duckdb.Type) any {
	text := string(l)
	if expected != duckdb.TypeInvalid {
		return text
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && strings.ContainsAny(text, "0123456789") {
		return f
	}
	switch strings.ToLower(text) {
	case "true":
		return true
	case "false":
		return false
	}
	return text
}

func bindValue(statement duckdb.PreparedStatement, i duckdb.IdxT, value any) (duckdb.State, error) {
	switch v := value.(type) {
	case nil:
		return duckdb.BindNull(statement, i), nil
	case bool:
		return duckdb.BindBoolean(statement, i, v), nil
	case int:
		return duckdb.BindInt64(statement, i, int64(v)), nil
	case int64:
		return duckdb.BindInt64(statement, i, v), nil
	case float64:
		return duckdb.BindDouble(statement, i, v), nil
	case string:
		return duckdb.BindVarcharLength(statement, i, v, duckdb.IdxT(len(v))), nil
	case time.Time:
		return duckdb.BindVarchar(statement, i, v.Format(time.RFC3339Nano)), nil
	}
	return duckdb.StateError, fmt.Errorf("cannot bind a value of type %T", value)
}
