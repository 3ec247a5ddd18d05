package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// shape is a table as a schema has it: what Parquet and other warehouses are
// held against, since they may be older than this program or by others.
type shape struct {
	table   string
	columns []column
	key     []string // columns of the primary key
}

type column struct{ name, kind string }

// querier is a database, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// shapesOf reads the tables of the schema named main of one database. One that
// it has not, or that is a view, has no columns.
func shapesOf(ctx context.Context, db querier, database string) (map[string]shape, error) {
	all := map[string]shape{}
	for _, table := range tablesInOrder() {
		all[table] = shape{table: table}
	}
	err := each(ctx, db, `SELECT c.table_name, c.column_name, c.data_type,
			coalesce(list_contains(k.constraint_column_names, c.column_name), false)
		FROM duckdb_columns() c JOIN duckdb_tables() t USING (database_name, schema_name, table_name)
		LEFT JOIN (FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY') k USING (database_name, schema_name, table_name)
		WHERE c.database_name = `+quote(database)+` AND c.schema_name = 'main' ORDER BY c.table_name, c.column_index`,
		func(scan func(...any) error) error {
			var table string
			var c column
			var isKey bool
			if err := scan(&table, &c.name, &c.kind, &isKey); err != nil {
				return err
			}
			s, ok := all[table]
			if !ok {
				return nil
			}
			s.columns = append(s.columns, c)
			if isKey {
				s.key = append(s.key, c.name)
			}
			all[table] = s
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	return all, nil
}

// selectFrom is the select list that reads the shape's columns from a relation
// whose columns have other types or are missing. It is an error if a column
// can't be read as what it is here.
func (s shape) selectFrom(present []column) (string, error) {
	kinds := map[string]string{}
	for _, c := range present {
		kinds[c.name] = c.kind
	}
	var list []string
	for _, c := range s.columns {
		kind, ok := kinds[c.name]
		name := quoteName(c.name)
		switch {
		case !ok && slices.Contains(s.key, c.name):
			return "", fmt.Errorf("column %s is missing", c.name)
		case !ok:
			list = append(list, fmt.Sprintf("NULL::%s AS %s", c.kind, name))
		case kind == c.kind:
			list = append(list, name)
		case convertible(kind, c.kind):
			list = append(list, fmt.Sprintf("%s::%s AS %s", name, c.kind, name))
		default:
			return "", fmt.Errorf("column %s is %s and has to be %s", c.name, kind, c.kind)
		}
	}
	return strings.Join(list, ", "), nil
}

// convertible says which types other writers may have made of ours. What has
// no value at all comes as an INTEGER or "NULL".
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

// portable is the select list whose columns every reader of Parquet knows: a
// UUID is text, since not all know Parquet's type of that name.
func (s shape) portable(alias string) string {
	var list []string
	for _, c := range s.columns {
		name := alias + "." + quoteName(c.name)
		if c.kind == "UUID" {
			name = fmt.Sprintf("%s::VARCHAR AS %s", name, quoteName(c.name))
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// textual is the same for CSV, where a map is JSON.
func (s shape) textual(alias string) string {
	list := s.portable(alias)
	for _, c := range s.columns {
		if name := alias + "." + quoteName(c.name); strings.HasPrefix(c.kind, "MAP(") {
			list = strings.Replace(list, name, "to_json("+name+") AS "+quoteName(c.name), 1)
		}
	}
	return list
}

// sameKey is the condition that rows of two relations are one.
func (s shape) sameKey(a, b string) string {
	var list []string
	for _, k := range s.key {
		list = append(list, fmt.Sprintf("%s.%s = %s.%s", a, quoteName(k), b, quoteName(k)))
	}
	return strings.Join(list, " AND ")
}

// describe lists the columns of a relation.
func describe(ctx context.Context, db querier, relation string) ([]column, error) {
	var columns []column
	err := each(ctx, db, "SELECT column_name, column_type FROM (DESCRIBE FROM "+relation+")", func(scan func(...any) error) error {
		var c column
		columns = append(columns, c)
		return scan(&columns[len(columns)-1].name, &columns[len(columns)-1].kind)
	})
	return columns, err
}

// each calls do with every row's scan.
func each(ctx context.Context, db querier, query string, do func(scan func(...any) error) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	for rows.Next() && err == nil {
		err = do(rows.Scan)
	}
	return errors.Join(err, rows.Err(), rows.Close())
}

// quote makes SQL's text of s, quoteName a name.
func quote(s string) string     { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
