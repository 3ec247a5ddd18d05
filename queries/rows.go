package queries

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"reflect"

	"github.com/sllmq/sllmq/warehouse/record"
)

// all runs a statement and returns its rows; see each.
func all[T any](ctx context.Context, db *sql.DB, task, statement string, arguments ...any) ([]T, error) {
	var list []T
	for row, err := range each[T](ctx, db, task, statement, arguments...) {
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, nil
}

// each runs a statement and yields its rows as values of the struct type T,
// whose fields name their columns in db tags as the records do. The statement
// must return exactly these columns, in any order. After an error, which says
// what the task was, there are no more rows.
func each[T any](ctx context.Context, db *sql.DB, task, statement string, arguments ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		fail := func(err error) {
			var none T
			yield(none, fmt.Errorf("%s: %w", task, err))
		}
		rows, err := db.QueryContext(ctx, statement, arguments...)
		if err != nil {
			fail(err)
			return
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil {
			fail(err)
			return
		}
		var row T
		fields, err := fieldsOf(&row, names)
		if err != nil {
			fail(err)
			return
		}
		for rows.Next() {
			if err := rows.Scan(fields...); err != nil {
				fail(err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			fail(err)
		}
	}
}

// fieldsOf returns pointers to the fields of a struct, in the order of the
// columns that they hold.
func fieldsOf(row any, names []string) ([]any, error) {
	v := reflect.ValueOf(row).Elem()
	fields := map[string]any{}
	for _, c := range record.Columns(v.Type()) {
		fields[c.Name] = v.FieldByIndex(c.Index).Addr().Interface()
	}
	var list []any
	for _, name := range names {
		field, ok := fields[name]
		if !ok {
			return nil, fmt.Errorf("%s has no field for column %s, or the column comes twice", v.Type(), name)
		}
		delete(fields, name)
		list = append(list, field)
	}
	for name := range fields {
		return nil, fmt.Errorf("the statement returns no column %s for %s", name, v.Type())
	}
	return list, nil
}
