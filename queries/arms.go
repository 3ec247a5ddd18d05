package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// periods are the spans of time that arms may be, with their formats.
var periods = map[string]string{"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "year": "%Y"}

//go:embed sql/load_facts_columns.sql
var columnsSQL string

//go:embed sql/tag_keys.sql
var tagKeysSQL string

// resolve returns what By means: a column of load_facts, a period of time, or
// tag: and a tag's key. By may name a tag by its key alone; for By tag, the key
// is the one under which some run has the baseline as its value.
func (c Contrast) resolve(ctx context.Context, db *sql.DB) (string, error) {
	_, period := periods[c.By]
	if period || c.By == "time" || strings.HasPrefix(c.By, "tag:") {
		return c.By, nil
	}
	type column struct {
		Name string `db:"column_name"`
	}
	columns, err := all[column](ctx, db, "list columns", columnsSQL)
	if err != nil {
		return "", err
	}
	if slices.Contains(columns, column{c.By}) {
		return c.By, nil
	}
	type tag struct {
		Key string `db:"key"`
	}
	tags, err := all[tag](ctx, db, "find a tag", tagKeysSQL, sql.Named("by", c.By), sql.Named("value", c.Baseline))
	var keys []string
	for _, t := range tags {
		keys = append(keys, t.Key)
	}
	switch {
	case err != nil:
		return "", err
	case slices.Contains(keys, c.By):
		return "tag:" + c.By, nil
	case len(keys) == 1:
		return "tag:" + keys[0], nil
	case len(keys) > 1:
		return "", &NoColumnError{fmt.Sprintf("several tags have the value %q: use one of %s=%[1]s", c.Baseline, strings.Join(keys, ", "))}
	}
	return "", &NoColumnError{fmt.Sprintf("no column or tag %q to compare by: use a tag's key, day, week, month, time:MOMENT, or a column of load_facts, such as format, loader, model, machine or run_id", c.By)}
}

// armExpression returns the SQL, over the columns of load_facts, of the arm that
// a load belongs to. By is resolved.
func (c Contrast) armExpression(v *values) (string, error) {
	if key, ok := strings.CutPrefix(c.By, "tag:"); ok {
		return "tags[" + v.text(key) + "]", nil
	}
	if layout, ok := periods[c.By]; ok {
		return "strftime(started_at, " + quote(layout) + ")", nil
	}
	if c.By == "time" {
		if c.SplitAt.IsZero() {
			return "", errors.New("compare by time: no moment to split at")
		}
		return "CASE WHEN started_at < " + v.time(c.SplitAt) + " THEN 'before' ELSE 'after' END", nil
	}
	return `"` + strings.ReplaceAll(c.By, `"`, `""`) + `"::VARCHAR`, nil
}

// NoColumnError reports that there is no such column or tag to compare by.
type NoColumnError struct{ text string }

func (e *NoColumnError) Error() string { return e.text }
