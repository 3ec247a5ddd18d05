package schema

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/sllmq/sllmq/warehouse/database"
)

// Source is rows that can be merged into a warehouse.
type Source interface {
	// Attach makes the rows readable in db, under the name of attached where
	// it needs one, and returns a SELECT for each table that it has, with the
	// columns and types of shapes. It calls warn with what it leaves out.
	Attach(ctx context.Context, db *sql.DB, shapes map[string]Shape, warn func(string)) (Selects, error)
}

// Selects are statements that read tables, by table.
type Selects map[string]string

// Unique has each select return one row of each key. A source may have rows
// twice, as two copies of a data set put together do. Of a run, one that has ended is
// taken.
func (s Selects) Unique(ctx context.Context, db database.Querier, shapes map[string]Shape) error {
	for table, rows := range s {
		again, err := Repeats(ctx, db, "("+rows+")", shapes[table].Key)
		if err != nil {
			return fmt.Errorf("table %s: %w", table, database.OneLine(err))
		}
		if !again {
			continue
		}
		keys := strings.Join(shapes[table].Key, ", ")
		s[table] = fmt.Sprintf("SELECT DISTINCT ON (%s) * FROM (%s) ORDER BY %s", keys, rows, keys)
		if table == "runs" {
			s[table] += ", ended_at NULLS LAST"
		}
	}
	return nil
}

// Repeats reports whether a relation may have a key twice. It compares hashes of
// keys, which is quick: false is certain, true is wrong for one in 10^19 pairs of rows.
func Repeats(ctx context.Context, db database.Querier, relation string, key []string) (again bool, err error) {
	err = database.Each(ctx, db, fmt.Sprintf("SELECT count(*) > count(DISTINCT hash(%s)) FROM %s", strings.Join(key, ", "), relation),
		func(scan func(...any) error) error { return scan(&again) })
	return again, err
}

// Added is what a merge or an export did to one table.
type Added struct {
	Table string
	Rows  int64
	Ended int64 // runs that were there without their end, and have it now
}

// SelectStored returns the selects of the tables that an attached database has.
// It calls warn, if that is not nil, with the columns that shapes have no place
// for.
func SelectStored(ctx context.Context, db database.Querier, attached string, shapes map[string]Shape, warn func(string)) (Selects, error) {
	stored, err := Shapes(ctx, db, database.Quote(attached))
	if err != nil {
		return nil, err
	}
	selects := Selects{}
	for table, there := range stored {
		if len(there.Columns) == 0 {
			continue
		}
		list, err := shapes[table].SelectFrom(there.Columns)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", table, err)
		}
		selects[table] = fmt.Sprintf("SELECT %s FROM %s.main.%s", list, attached, table)
		WarnForeign(shapes[table], there.Columns, warn)
	}
	return selects, nil
}

// WarnForeign calls warn, if that is not nil, with the columns that s has no
// place for.
func WarnForeign(s Shape, present []Column, warn func(string)) {
	if names := s.Foreign(present); len(names) > 0 && warn != nil {
		warn(fmt.Sprintf("columns that table %s does not have are left out: %s", s.Table, strings.Join(names, ", ")))
	}
}
