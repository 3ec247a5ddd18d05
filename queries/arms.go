package queries

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// periods are the spans of time that arms may be, and how they are written.
var periods = map[string]string{"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "year": "%Y"}

// resolve says what By means: a column of load_facts, a period of time, or a
// tag, with or without tag: before its key. Of By tag, the key is found by the
// baseline's value.
func (c Contrast) resolve(ctx context.Context, db *sql.DB) (string, error) {
	_, period := periods[c.By]
	if period || c.By == "time" || strings.HasPrefix(c.By, "tag:") {
		return c.By, nil
	}
	columns, err := all(ctx, db, "list columns", func(rows *sql.Rows, name *string) error { return rows.Scan(name) },
		"SELECT column_name FROM duckdb_columns() WHERE table_name = 'load_facts' AND database_name = current_database() ORDER BY column_index")
	if err != nil {
		return "", err
	}
	if slices.Contains(columns, c.By) {
		return c.By, nil
	}
	keys, err := all(ctx, db, "look for a tag", func(rows *sql.Rows, key *string) error { return rows.Scan(key) },
		"SELECT DISTINCT e.key FROM (SELECT unnest(map_entries(tags)) AS e FROM runs) WHERE e.key = $by OR ($by = 'tag' AND e.value = $value) ORDER BY ALL",
		sql.Named("by", c.By), sql.Named("value", c.Baseline))
	switch {
	case err != nil:
		return "", err
	case slices.Contains(keys, c.By):
		return "tag:" + c.By, nil
	case len(keys) == 1:
		return "tag:" + keys[0], nil
	case len(keys) > 1:
		return "", &NoColumnError{fmt.Sprintf("several tags have the value %q: write one of %s=%[1]s", c.Baseline, strings.Join(keys, ", "))}
	}
	return "", &NoColumnError{fmt.Sprintf("no column and no tag %q to compare by: use a tag's key, day, week, month, time:MOMENT, or a column of load_facts, such as format, loader, model, machine or run_id", c.By)}
}

// armExpression is the SQL of the arm's name.
func (c Contrast) armExpression() (string, error) {
	if key, ok := strings.CutPrefix(c.By, "tag:"); ok {
		return "tags[" + quote(key) + "]", nil
	}
	if layout, ok := periods[c.By]; ok {
		return "strftime(started_at, " + quote(layout) + ")", nil
	}
	if c.By == "time" {
		if c.SplitAt.IsZero() {
			return "", errors.New("compare by time: no moment to split at")
		}
		at := c.SplitAt.UTC().Format(time.RFC3339Nano)
		return fmt.Sprintf("CASE WHEN started_at < %s::TIMESTAMPTZ THEN 'before' ELSE 'after' END", quote(at)), nil
	}
	return `"` + c.By + `"::VARCHAR`, nil
}

// NoColumnError is of what there is not to compare by.
type NoColumnError struct{ text string }

func (e *NoColumnError) Error() string { return e.text }
