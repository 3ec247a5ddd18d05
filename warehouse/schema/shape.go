package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/warehouse/database"
)

// Shape is a table or a view as one database has it. Parquet and other
// warehouses are read into it, since they may be older or by other programs.
type Shape struct {
	Table   string
	Columns []Column
	Key     []string
}

// Column is a column and its type.
type Column struct{ Name, Type string }

// Shapes reads the shapes of Tables, by name, in the main schema of one
// database. A table that it does not have has no columns.
func Shapes(ctx context.Context, db database.Querier, name string) (map[string]Shape, error) {
	all := map[string]Shape{}
	for _, t := range Tables() {
		all[t.Name] = Shape{Table: t.Name, Key: t.Key}
	}
	err := database.Each(ctx, db, `SELECT table_name, column_name, data_type FROM duckdb_columns()
		WHERE database_name = `+name+` AND schema_name = 'main' ORDER BY table_name, column_index`,
		func(scan func(...any) error) error {
			var table string
			var c Column
			if err := scan(&table, &c.Name, &c.Type); err != nil {
				return err
			}
			if s, ok := all[table]; ok {
				s.Columns = append(s.Columns, c)
				all[table] = s
			}
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	return all, nil
}

// Current names, for Shapes, the database that statements go to.
const Current = "current_database()"

// SelectFrom is the select list that reads the shape's columns from a relation
// whose columns have other types or are missing. It is an error if a column
// cannot be converted, or a column of the key is missing.
func (s Shape) SelectFrom(present []Column) (string, error) {
	types := map[string]string{}
	for _, c := range present {
		types[c.Name] = c.Type
	}
	var list []string
	for _, c := range s.Columns {
		from, ok := types[c.Name]
		name := database.QuoteName(c.Name)
		switch {
		case !ok && slices.Contains(s.Key, c.Name):
			return "", fmt.Errorf("column %s is missing", c.Name)
		case !ok:
			list = append(list, fmt.Sprintf("NULL::%s AS %s", c.Type, name))
		case from == c.Type:
			list = append(list, name)
		case convertible(from, c.Type):
			list = append(list, fmt.Sprintf("%s::%s AS %s", name, c.Type, name))
		default:
			return "", fmt.Errorf("column %s is %s and has to be %s", c.Name, from, c.Type)
		}
	}
	return strings.Join(list, ", "), nil
}

// convertible reports whether a column of another writer can be read as ours. A
// column without any value comes as INTEGER.
func convertible(from, to string) bool {
	integers := []string{"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT"}
	switch to {
	case "UUID":
		return from == "VARCHAR" || from == "INTEGER"
	case "BIGINT":
		return slices.Contains(integers, from)
	case "DOUBLE":
		return from == "FLOAT" || slices.Contains(integers, from)
	case "TIMESTAMP WITH TIME ZONE":
		return strings.HasPrefix(from, "TIMESTAMP") || from == "INTEGER"
	case "MAP(VARCHAR, VARCHAR)":
		return strings.HasPrefix(from, "MAP(") || from == "INTEGER"
	case "VARCHAR", "BOOLEAN":
		return from == "INTEGER"
	}
	return false
}

// Portable is the select list whose columns every reader of Parquet knows. A
// UUID is text: not all readers know Parquet's UUID.
func (s Shape) Portable(alias string) string { return s.list(alias, false) }

// Textual is the same for CSV, where a map is JSON.
func (s Shape) Textual(alias string) string { return s.list(alias, true) }

func (s Shape) list(alias string, mapsAsJSON bool) string {
	var list []string
	for _, c := range s.Columns {
		name := alias + "." + database.QuoteName(c.Name)
		switch {
		case c.Type == "UUID":
			name = fmt.Sprintf("%s::VARCHAR AS %s", name, database.QuoteName(c.Name))
		case mapsAsJSON && strings.HasPrefix(c.Type, "MAP("):
			name = fmt.Sprintf("to_json(%s) AS %s", name, database.QuoteName(c.Name))
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// SameKey is the condition that rows of two relations have the same key.
func (s Shape) SameKey(a, b string) string {
	var list []string
	for _, k := range s.Key {
		list = append(list, fmt.Sprintf("%s.%s = %s.%s", a, database.QuoteName(k), b, database.QuoteName(k)))
	}
	return strings.Join(list, " AND ")
}

// Foreign lists the columns of present that the shape does not have.
func (s Shape) Foreign(present []Column) []string {
	var names []string
	for _, c := range present {
		if !slices.ContainsFunc(s.Columns, func(own Column) bool { return own.Name == c.Name }) {
			names = append(names, c.Name)
		}
	}
	return names
}

// Describe lists the columns of a relation.
func Describe(ctx context.Context, db database.Querier, relation string) ([]Column, error) {
	var columns []Column
	err := database.Each(ctx, db, "SELECT column_name, column_type FROM (DESCRIBE FROM "+relation+")", func(scan func(...any) error) error {
		var c Column
		err := scan(&c.Name, &c.Type)
		columns = append(columns, c)
		return err
	})
	return columns, err
}
