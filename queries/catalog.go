package queries

import (
	"context"
	"database/sql"
	_ "embed"
)

//go:embed sql/catalog.sql
var catalogSQL string

// Table is a table or a view of a warehouse.
type Table struct {
	Name, Kind, Comment string // the kind is table or view
	Columns             []Column
}

// Column is a column of a table.
type Column struct{ Name, Type, Comment string }

// Catalog lists the tables and views by name, with their columns in order.
func Catalog(ctx context.Context, db *sql.DB) ([]Table, error) {
	type row struct {
		Relation string `db:"relation"`
		Kind     string `db:"kind"`
		About    string `db:"relation_comment"`
		Column   string `db:"column_name"`
		Type     string `db:"data_type"`
		Comment  string `db:"comment"`
	}
	var tables []Table
	for r, err := range each[row](ctx, db, "list the tables", catalogSQL) {
		if err != nil {
			return nil, err
		}
		if len(tables) == 0 || tables[len(tables)-1].Name != r.Relation {
			tables = append(tables, Table{Name: r.Relation, Kind: r.Kind, Comment: r.About})
		}
		last := &tables[len(tables)-1]
		last.Columns = append(last.Columns, Column{r.Column, r.Type, r.Comment})
	}
	return tables, nil
}
