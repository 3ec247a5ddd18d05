package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
)

//go:embed sql/catalog.sql
var catalogSQL string

// Table is a table or a view of a warehouse.
type Table struct {
	Name, Kind, Comment string // the kind is table or view
	Columns             []Column
}

// Column is a table's.
type Column struct{ Name, Type, Comment string }

// Catalog lists the tables and views, by name, with their columns in order.
func Catalog(ctx context.Context, db *sql.DB) ([]Table, error) {
	rows, err := db.QueryContext(ctx, catalogSQL)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	defer rows.Close()
	var tables []Table
	for rows.Next() {
		var t Table
		var c Column
		if err := rows.Scan(&t.Name, &t.Kind, &t.Comment, &c.Name, &c.Type, &c.Comment); err != nil {
			return nil, fmt.Errorf("list the tables: %w", err)
		}
		if len(tables) == 0 || tables[len(tables)-1].Name != t.Name {
			tables = append(tables, t)
		}
		last := &tables[len(tables)-1]
		last.Columns = append(last.Columns, c)
	}
	return tables, rows.Err()
}
